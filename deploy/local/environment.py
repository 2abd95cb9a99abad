"""The variables of a stack: what every process is given, and what a caller may source."""

import base64
import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.local.procfile import Deployable

# The services a client of the platform speaks to, by the name their address is exported under.
CLIENT_SERVICES = (
    "applications",
    "endpoints",
    "segmentation",
    "templates",
    "campaigns",
    "messaging",
    "analytics",
)
# Services that push workers know by URL, by the sandbox's protocol that stands in for them.
_PROVIDERS: Mapping[str, Mapping[str, str]] = {
    "APNS": {"APNS_URL": "", "APNS_SANDBOX_URL": ""},
    "PUSH": {
        "FCM_URL": "",
        "FCM_TOKEN_URL": "/token",
        "ADM_URL": "",
        "ADM_TOKEN_URL": "/auth/O2/token",
        "BAIDU_URL": "",
        "TWILIO_URL": "",
        "SES_URL": "",
        "AWS_SMS_URL": "/aws-sms",
    },
}


def inherited() -> dict[str, str]:
    """Return the environment this command runs in, for child programs."""
    return dict(os.environ)  # noqa: TID251 (a supervisor hands it on; no setting is read here)


def read_file(path: Path) -> dict[str, str]:
    """Read NAME=value lines; blank lines and lines that begin with # are skipped."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def new_secrets() -> dict[str, str]:
    """Return fresh random keys; they live as long as the stack."""
    return {
        "BOOTSTRAP_ACCESS_KEY_ID": "TP" + base64.b32encode(secrets.token_bytes(10)).decode(),
        "BOOTSTRAP_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        "PEER_TOKEN": secrets.token_urlsafe(32),
        "MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "LINK_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def addresses(listens: Mapping[Deployable, Mapping[str, str]]) -> dict[str, str]:
    """Return the variables by which each process finds the others.

    GRPC_LISTEN of `campaigns` is published as CAMPAIGNS_ADDR, HTTP_LISTEN of `links` as
    LINKS_URL, any other <NAME>_LISTEN (a sandbox protocol) as <NAME>_ADDR, or as the URLs of the
    push services it stands in for. Metrics are scraped
    from outside and workers are called by nobody: neither is published, but for the worker's
    INBOUND_MAIL_LISTEN, which the sandbox knows as BOUNCE_SMTP.
    """
    found: dict[str, str] = {}
    for deployable, ports in listens.items():
        if not deployable.is_worker:
            found.update(_published(deployable.service.upper(), ports))
        elif "INBOUND_MAIL_LISTEN" in ports:
            found["BOUNCE_SMTP"] = ports["INBOUND_MAIL_LISTEN"]
    return found


def exported(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return what `.touchpoint/env` holds, from the variables `up` has chosen."""
    grpc = {
        f"TOUCHPOINT_GRPC_{name.upper()}": chosen[f"{name.upper()}_ADDR"]
        for name in CLIENT_SERVICES
        if f"{name.upper()}_ADDR" in chosen
    }
    renamed = {
        "TOUCHPOINT_LINKS_URL": "LINKS_URL",
        "TOUCHPOINT_REST_URL": "REST_URL",
        "TOUCHPOINT_SANDBOX_URL": "SANDBOX_URL",
        "TOUCHPOINT_SANDBOX_SMTP": "SMTP_ADDR",
        "TOUCHPOINT_SANDBOX_SMPP": "SMPP_ADDR",
        "TOUCHPOINT_ACCESS_KEY_ID": "BOOTSTRAP_ACCESS_KEY_ID",
        "TOUCHPOINT_SECRET_ACCESS_KEY": "BOOTSTRAP_SECRET_ACCESS_KEY",
        "MONGO_URI": "MONGO_URI",
        "AMQP_URL": "AMQP_URL",
    }
    return grpc | {new: chosen[old] for new, old in renamed.items() if old in chosen}


def write_exports(path: Path, variables: Mapping[str, str]) -> None:
    """Write one `export NAME=value` a line, readable by the owner only: it holds keys.

    Values are quoted where a shell needs it (a MongoDB address may hold `&`), so a program
    that reads the file itself splits its lines as a shell does (`shlex.split`).
    """
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(_export_lines(variables))
    draft.replace(path)


def _export_lines(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _published(name: str, ports: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for variable, address in ports.items():
        kind = variable.removesuffix("_LISTEN")
        if kind == "GRPC":
            found[f"{name}_ADDR"] = address
        elif kind == "HTTP":
            found[f"{name}_URL"] = f"http://{address}"
        elif kind in _PROVIDERS:
            found |= {url: f"http://{address}{path}" for url, path in _PROVIDERS[kind].items()}
        elif kind != "METRICS":
            found[f"{kind}_ADDR"] = address
    return found
