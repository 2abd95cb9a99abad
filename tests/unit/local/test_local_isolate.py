"""`make isolate`: a service that reaches outside its image is told from one that does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import isolate

MAIN = "from libs.chassis.run import run\nfrom services.one.setup import setup\nrun(setup)\n"
Tree = Callable[[str], None]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Make a small repository in which service `one` has a setup of the given text."""
    monkeypatch.setattr(isolate, "ROOT", tmp_path)

    def write(setup: str) -> None:
        files = {
            "libs/__init__.py": "",
            "libs/chassis/__init__.py": "",
            "libs/chassis/run.py": "def run(setup): raise SystemExit('a service was started')\n",
            "protos/gen/touchpoint/note.txt": "",
            "services/__init__.py": "",
            "services/one/__init__.py": "",
            "services/one/__main__.py": MAIN,
            "services/one/setup.py": setup,
            "services/two/__init__.py": "",
            "services/two/domain.py": "",
        }
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_service_of_its_own_stands_alone(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree("import grpc\nfrom libs.chassis import run\ndef setup(): ...\n")
    assert isolate.main() == 0
    assert "stands alone" in capsys.readouterr().out


@pytest.mark.parametrize("module", ["services.two.domain", "deploy.isolate", "tests.conftest"])
def test_import_from_outside_the_image_fails(
    tree: Tree, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    tree(f"import {module}\ndef setup(): ...\n")
    assert isolate.main() == 1
    assert "ModuleNotFoundError" in capsys.readouterr().err
