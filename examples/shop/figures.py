"""The campaign's figures: asked for by their names, shown by channel and by subject."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table
from touchpoint.analytics.v1 import analytics_service_pb2 as pb

from examples.shop.campaign import CURIOUS, PLAIN
from examples.shop.platform import Platform
from examples.shop.screen import count, share

KPIS: Final = (
    ("successful-delivery-rate", "of everybody tried, had it delivered"),
    ("email-open-rate", "of mails delivered were opened"),
    ("hard-bounce-rate", "of mails sent came back for good"),
)
TITLES: Final = (
    "sent",
    "delivered",
    "rate",
    "  opened",
    "  clicked",
    "bounced",
    "unsubscribed",
)
TREATMENTS: Final = {"0": PLAIN, "1": CURIOUS}


@dataclass(frozen=True)
class Figures:
    """What became of the messages of a channel or of one subject; people, not events."""

    sent: int
    delivered: int
    opened: int = 0
    clicked: int = 0
    bounced: int = 0
    unsubscribed: int = 0


def _unique(counts: Iterable[pb.EventCount]) -> Mapping[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for one in counts:
        found[one.event_type] += one.unique_count
    return found


def of_email(counts: Iterable[pb.EventCount]) -> Figures:
    """Mail; one that is refused at the door counts as sent and bounced."""
    unique = _unique(counts)
    refused = unique["_email.hardbounce"] + unique["_email.softbounce"]
    return Figures(
        unique["_email.send"],
        unique["_email.delivered"],
        unique["_email.open"],
        unique["_email.click"],
        refused,
        unique["_email.unsubscribe"] + unique["_email.complaint"],
    )


def of_sms(counts: Iterable[pb.EventCount], opt_outs: int) -> Figures:
    """Texts; who answers STOP answers a number, so that the caller brings that count."""
    unique = _unique(counts)
    sent, delivered = unique["_SMS.BUFFERED"], unique["_SMS.SUCCESS"]
    return Figures(sent, delivered, bounced=sent - delivered, unsubscribed=opt_outs)


def by_subject(counts: Sequence[pb.EventCount]) -> dict[str, Figures]:
    """Mail by the subject it went out with."""
    return {
        name: of_email(one for one in counts if one.treatment_id == treatment_id)
        for treatment_id, name in TREATMENTS.items()
    }


def table(rows: Mapping[str, Figures]) -> Table:
    """A row for each channel or subject."""
    found = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    found.add_column("  ", no_wrap=True)
    for title in TITLES:
        found.add_column(title, justify="right", no_wrap=True)
    for name, one in rows.items():
        found.add_row(f"  {name}", *_cells(one, has_pages=name != "SMS"))
    return found


def _cells(one: Figures, *, has_pages: bool) -> list[str]:
    """A row; nobody knows whether a text was opened."""
    looked = (one.opened, one.clicked) if has_pages else ()
    return [
        count(one.sent),
        count(one.delivered),
        share(one.delivered, one.sent),
        *(f"{count(part)} ({100 * part / max(one.delivered, 1):.0f} %)" for part in looked),
        *("-" for _ in range(2 - len(looked))),
        count(one.bounced),
        count(one.unsubscribed),
    ]


async def kpi(platform: Platform, app_id: str, campaign_id: str, name: str) -> float | None:
    """A figure by its Pinpoint name; None while there is no data for it."""
    answer = await platform.analytics.GetCampaignDateRangeKpi(
        pb.GetCampaignDateRangeKpiRequest(
            application_id=app_id, campaign_id=campaign_id, kpi_name=name
        ),
        metadata=platform.key,
    )
    rows = answer.kpi_result.rows
    return float(rows[0].values[0].value) if rows else None
