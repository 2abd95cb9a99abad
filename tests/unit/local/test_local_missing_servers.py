"""A machine that cannot embed the servers is told what to do instead."""

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from deploy.local import mongodb, rabbitmq
from deploy.local.mongodb import NoServerHere

COMPOSE = "docker compose -f deploy/compose.yaml up"


def test_missing_rabbitmq_names_the_package_and_compose(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rabbitmq, "PLACES", (str(tmp_path),))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(NoServerHere, match="apt-get install rabbitmq-server") as told:
        rabbitmq.rabbitmq_path()
    assert COMPOSE in str(told.value)


def test_without_apt_only_compose_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rabbitmq, "PLACES", (str(tmp_path),))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NoServerHere, match=COMPOSE) as told:
        rabbitmq.rabbitmq_path()
    assert "apt-get" not in str(told.value)


def test_missing_mongodb_names_setup_and_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", not_found)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NoServerHere, match="make setup") as told:
        mongodb.mongod_path()
    assert COMPOSE in str(told.value)


def test_packaged_mongodb_is_made_executable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packaged = tmp_path / "mongod"
    packaged.write_text("")
    packaged.chmod(0o644)

    class Distribution:
        def locate_file(self, _: str) -> Path:
            return packaged

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Distribution())
    assert mongodb.mongod_path() == packaged
    assert packaged.stat().st_mode & 0o111 == 0o111
