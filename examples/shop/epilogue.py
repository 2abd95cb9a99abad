"""The end of the demo: where to look, and what to try next."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from examples.shop.contacts import Contact
from examples.shop.evidence import Evidence
from examples.shop.screen import Screen
from examples.shop.stack import ENV_FILE, ROOT


@dataclass(frozen=True)
class Where:
    """Where the results are."""

    sandbox_url: str
    chart: Path
    evidence: Evidence


def tell(screen: Screen, where: Where) -> None:
    """Say it."""
    screen.heading("Yours to look at")
    screen.facts([("inboxes", f"{where.sandbox_url}/"), ("chart", str(where.chart))])
    screen.say("\n  Three things to try:")
    for number, (purpose, command) in enumerate(things_to_try(where), start=1):
        screen.say(f"\n  {number}. {purpose}")
        screen.command(command)
    screen.say("\n  The platform keeps running. `make down` ends it and forgets everything.")


def things_to_try(where: Where) -> list[tuple[str, str]]:
    """What for, and a command that works as it stands in the repository's folder."""
    app_id = where.evidence.run.application_id
    left_out = _left_out(where.evidence)
    python = f". {ENV_FILE.relative_to(ROOT)} && .venv/bin/python"
    to = quote("aiko.1@example.com")
    return [
        (
            "Read the mail Aiko got, headers and all.",
            f"curl -s '{where.sandbox_url}/messages?channel=EMAIL&to={to}&limit=1'",
        ),
        (
            f"Ask why {left_out.endpoint_id} has no message.",
            f"{python} -m examples.shop.why {app_id} {left_out.endpoint_id}",
        ),
        (
            "Send a text of your own, from Python.",
            f"{python} examples/python/first_call.py",
        ),
    ]


def _left_out(evidence: Evidence) -> Contact:
    """Somebody of the segment who got nothing, for opting out if there is one."""
    left_out = [contact for contact in evidence.audience if contact.reason_for_nothing]
    return min(left_out, key=lambda contact: contact.reason_for_nothing != "OPT_OUT")
