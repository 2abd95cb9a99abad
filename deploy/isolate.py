"""Import every service from a folder that holds nothing but what its image holds."""

import ast
import os
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns("__pycache__")


def main() -> int:
    """Try each service; print one line for each, and the error of each that fails."""
    services = sorted(path.parent.name for path in (ROOT / "services").glob("*/__main__.py"))
    failed = [service for service in services if not _stands_alone(service)]
    return 1 if failed else 0


def modules_of(folder: Path, service: str) -> list[str]:
    """Name what to import: every module of the service, and all that its __main__ imports.

    `__main__` itself is read, not imported: importing it would start the service.
    """
    prefix = f"services.{service}."
    found = pkgutil.walk_packages([str(folder / "services" / service)], prefix)
    names = [module.name for module in found if not module.name.endswith(".__main__")]
    tree = ast.parse((folder / "services" / service / "__main__.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


def copy_image(service: str, folder: Path) -> None:
    """Copy what deploy/Dockerfile copies."""
    shutil.copytree(ROOT / "libs", folder / "libs", ignore=LEFT_OUT)
    shutil.copytree(ROOT / "protos" / "gen", folder / "protos" / "gen", ignore=LEFT_OUT)
    (folder / "services").mkdir()
    shutil.copy(ROOT / "services" / "__init__.py", folder / "services")
    shutil.copytree(ROOT / "services" / service, folder / "services" / service, ignore=LEFT_OUT)


def _stands_alone(service: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="touchpoint-isolate-") as name:
        folder = Path(name)
        copy_image(service, folder)
        result = _import(folder, modules_of(folder, service))
    print(f"{service:16} {'stands alone' if result.returncode == 0 else 'DOES NOT IMPORT'}")
    if result.returncode:
        print(result.stderr, file=sys.stderr)
    return result.returncode == 0


def _import(folder: Path, modules: list[str]) -> "subprocess.CompletedProcess[str]":
    script = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    path = [str(folder), str(folder / "protos" / "gen"), sysconfig.get_path("purelib")]
    # -S leaves .pth files unread: the editable install would put this whole tree on the path.
    return subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
