"""The process table and the variables made from it."""

import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from deploy.local import environment, procfile, stack
from deploy.local.procfile import Deployable

ROOT = Path(__file__).resolve().parents[3]
TABLE = procfile.read(ROOT / "deploy" / "Procfile")
SETTINGS_MODULES = [
    "libs.chassis.config",
    *(
        f"services.{path.parent.name}.config"
        for path in sorted((ROOT / "services").glob("*/config.py"))
    ),
]
LOCAL_ENV = ROOT / "deploy" / "local.env"
LOCAL = environment.read_file(LOCAL_ENV)


def table(tmp_path: Path, text: str) -> list[Deployable]:
    path = tmp_path / "Procfile"
    path.write_text(text)
    return procfile.read(path)


def test_line_is_split_into_variables_and_command(tmp_path: Path) -> None:
    [line] = table(tmp_path, "# note\n\nsms: GRPC_LISTEN=h:1 A='b c' python -m x --channel sms\n")
    assert line.name == "sms"
    assert line.argv == ("python", "-m", "x", "--channel", "sms")
    assert line.variables == {"GRPC_LISTEN": "h:1", "A": "b c"}
    assert line.listens == ("GRPC_LISTEN",)


@pytest.mark.parametrize(
    "text", ["python -m x", "a b: run", "a:", "a: A=b", "a: run\nb: run\na: other"]
)
def test_wrong_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(procfile.BadProcfile):
        table(tmp_path, text)


def test_addresses_are_published_under_the_names_peers_read(tmp_path: Path) -> None:
    gateway, worker, sandbox = table(
        tmp_path,
        "messaging-gateway: GRPC_LISTEN=x METRICS_LISTEN=x run gateway\n"
        "email: GRPC_LISTEN=x INBOUND_MAIL_LISTEN=x run worker --channel email\n"
        "sandbox: HTTP_LISTEN=x SMTP_LISTEN=x run\n",
    )
    listens = {
        gateway: {"GRPC_LISTEN": "h:1", "METRICS_LISTEN": "h:2"},
        worker: {"GRPC_LISTEN": "h:3", "INBOUND_MAIL_LISTEN": "h:6"},
        sandbox: {"HTTP_LISTEN": "h:4", "SMTP_LISTEN": "h:5"},
    }
    assert environment.addresses(listens) == {
        "MESSAGING_ADDR": "h:1",
        "SANDBOX_URL": "http://h:4",
        "SMTP_ADDR": "h:5",
        "BOUNCE_SMTP": "h:6",
    }


def test_every_address_chosen_is_different() -> None:
    chosen = [
        address
        for addresses in stack.choose_addresses(TABLE).values()
        for address in addresses.values()
    ]
    assert len(chosen) == len(set(chosen)) == sum(len(line.listens) for line in TABLE)


def test_local_env_names_the_addresses_the_table_serves_on() -> None:
    # `make run` uses both files as they stand: they must agree with each other.
    served = environment.addresses({line: line.variables for line in TABLE})
    assert {name: LOCAL.get(name) for name in served} == served


def test_local_env_lists_every_variable_up_sets() -> None:
    published = environment.addresses({line: line.variables for line in TABLE})
    assert set(published) | set(environment.new_secrets()) <= set(LOCAL)


@pytest.mark.parametrize("module", SETTINGS_MODULES)
def test_local_env_lists_every_setting(module: str) -> None:
    settings = importlib.import_module(module).Settings
    names = {name.upper() for name in settings.model_fields}
    listed = set(re.findall(r"(?m)^(?:# )?([A-Z0-9_]+)=", LOCAL_ENV.read_text()))
    missing = {name for name in names - listed if not name.endswith("_LISTEN")}
    assert not missing


def test_fixed_addresses_of_the_table_do_not_clash() -> None:
    fixed = [line.variables[name] for line in TABLE for name in line.listens]
    assert len(fixed) == len(set(fixed))


def test_exports_cover_every_service_a_client_speaks_to() -> None:
    exports = environment.exported(LOCAL)
    for service in environment.CLIENT_SERVICES:
        assert exports[f"TOUCHPOINT_GRPC_{service.upper()}"] == LOCAL[f"{service.upper()}_ADDR"]
    assert {name for name in exports if not name.startswith("TOUCHPOINT_GRPC_")} == {
        "TOUCHPOINT_LINKS_URL",
        "TOUCHPOINT_REST_URL",
        "TOUCHPOINT_SANDBOX_URL",
        "TOUCHPOINT_SANDBOX_SMTP",
        "TOUCHPOINT_SANDBOX_SMPP",
        "TOUCHPOINT_ACCESS_KEY_ID",
        "TOUCHPOINT_SECRET_ACCESS_KEY",
        "MONGO_URI",
        "AMQP_URL",
    }


def test_secrets_differ_from_stack_to_stack() -> None:
    one, other = environment.new_secrets(), environment.new_secrets()
    assert all(one[name] != other[name] for name in one)


def test_exports_survive_a_shell_and_are_private(tmp_path: Path) -> None:
    values = {"MONGO_URI": "mongodb://h:1/?a=b&c=d", "PLAIN": "h:1", "ODD": "it's $HOME"}
    path = tmp_path / "env"
    environment.write_exports(path, values)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "export PLAIN=h:1" in path.read_text().splitlines()
    script = f'. {shlex.quote(str(path))}; printf "%s\\n" "$MONGO_URI" "$PLAIN" "$ODD"'
    result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == list(values.values())
