"""Figures by their Pinpoint names (spec 10.3): what each counts, divides and groups by.

A rate is a share from 0 to 1. Rates of campaigns are of endpoints: an endpoint that was tried twice
in one activity, or opened twice, counts once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from libs.errors import InvalidFields, NotBuilt, Violation
from services.analytics.domain.counting import Figures


@dataclass(frozen=True, slots=True)
class Count:
    """A counter, as stored."""

    campaign_id: str
    activity_id: str
    treatment_id: str
    event_type: str
    status: str
    country: str
    day: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Slice:
    """Which counters to read. `campaign_id` None means any or none; days are inclusive."""

    app_id: str
    campaign_id: str | None = None
    of_campaigns: bool = False
    days: tuple[int, int] | None = None
    event_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of some event types, less that of others but never below zero, and `also` another.

    `statuses` empty takes every status.
    """

    event_types: frozenset[str]
    figure: str = "count"
    statuses: frozenset[str] = frozenset()
    less: frozenset[str] = frozenset()
    also: "Measure | None" = None

    @property
    def reads(self) -> frozenset[str]:
        """Every event type the measure looks at."""
        return self.event_types | self.less | (self.also.reads if self.also else frozenset())

    def of(self, counts: Sequence[Count]) -> float | None:
        """The measure of some counters; None when they hold nothing of it."""
        added = [self._value(count) for count in counts if self._takes(count)]
        taken = sum(self._value(count) for count in counts if count.event_type in self.less)
        more = self.also.of(counts) if self.also else None
        if more is None and not added:
            return None
        # What is taken away may lie in another group than what it is taken from (a later day).
        return max(0.0, sum(added) - taken) + (more or 0.0)

    def _takes(self, count: Count) -> bool:
        fits = not self.statuses or count.status in self.statuses
        return fits and count.event_type in self.event_types

    def _value(self, count: Count) -> float:
        return float(getattr(count.figures, self.figure))


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure: one measure, or one divided by another, for each value of `group`."""

    title: str
    measure: Measure
    per: Measure | None = None
    group: str = ""
    direct: bool = False

    @property
    def event_types(self) -> frozenset[str]:
        """Every event type the figure looks at."""
        return self.measure.reads | (self.per.reads if self.per else frozenset())

    def of(self, counts: Sequence[Count]) -> float | None:
        """The figure of some counters; None when there is none."""
        above = self.measure.of(counts)
        if self.per is None:
            return above
        below = self.per.of(counts)
        return (above or 0.0) / below if below else None


@dataclass(frozen=True, slots=True)
class Row:
    """A value of a figure; `group` is empty for figures that are not grouped."""

    group: str
    value: float


# Sends that never left for a reason of ours (holdout, caps, quiet time) were not attempted.
_ATTEMPTED: Final = frozenset(
    {
        "",
        "SUCCESS",
        "FAILURE",
        "FAILURE_PERMANENT",
        "TRANSIENT_FAILURE",
        "THROTTLED",
        "UNKNOWN",
        "CUSTOM_DELIVERY_FAILURE",
    }
)


def _email(name: str, figure: str = "count") -> Measure:
    return Measure(frozenset({f"_email.{name}"}), figure)


def _sms(name: str, figure: str = "count") -> Measure:
    return Measure(frozenset({f"_SMS.{name}"}), figure)


def _delivered(figure: str = "count", also: Measure | None = None) -> Measure:
    # Spec 10.1: email delivered = sent - bounces - rejects. A mail that a server takes may come
    # back later, so `_email.delivered` alone would say too much.
    lost = frozenset({"_email.hardbounce", "_email.softbounce", "_email.rejected"})
    return Measure(frozenset({"_email.send"}), figure, less=lost, also=also)


_FINAL_SMS: Final = frozenset({"_SMS.SUCCESS", "_SMS.FAILURE"})
_UNIQUE_DELIVERIES: Final = _delivered("unique", _sms("SUCCESS", "unique"))
_DELIVERIES: Final = _delivered(also=_sms("SUCCESS"))
_ATTEMPTS: Final = Measure(frozenset({"_campaign.send"}), "unique", _ATTEMPTED)
_SENT: Final = _sms("BUFFERED")
_PRICE: Final = Measure(_FINAL_SMS, "price")

DATE: Final = "date"
CAMPAIGN: Final = "campaign"
ACTIVITY: Final = "campaign-activity"
COUNTRY: Final = "country"
ERROR: Final = "error"

# Spec 10.3: the keys of grouped answers.
GROUP_KEYS: Final = {
    DATE: "Date",
    CAMPAIGN: "CampaignId",
    ACTIVITY: "CampaignActivityId",
    COUNTRY: "country",
    ERROR: "RecordStatus",
}

_GROUP_OF: Final[dict[str, Callable[[Count], str]]] = {
    "": lambda _: "",
    DATE: lambda count: day_text(count.day),
    CAMPAIGN: lambda count: count.campaign_id,
    ACTIVITY: lambda count: count.activity_id,
    COUNTRY: lambda count: count.country,
    ERROR: lambda count: count.status,
}

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

# Name, measure, what it is divided by, groups ("" is ungrouped).
_Line = tuple[str, Measure, Measure | None, tuple[str, ...]]

_CAMPAIGN_LINES: Final[tuple[_Line, ...]] = (
    ("hard-bounce-rate", _email("hardbounce", "unique"), _email("send", "unique"), ("", ACTIVITY)),
    ("successful-delivery-rate", _UNIQUE_DELIVERIES, _ATTEMPTS, ("", ACTIVITY, DATE)),
    ("email-open-rate", _email("open", "unique"), _delivered("unique"), ("", ACTIVITY)),
    ("direct-email-opens", _email("open", "hourly"), None, (ACTIVITY,)),
    ("unique-deliveries", _UNIQUE_DELIVERIES, None, ("", ACTIVITY, DATE)),
    ("clicks", _email("click", "hourly"), None, (ACTIVITY,)),
    ("successful-deliveries", _DELIVERIES, None, (ACTIVITY,)),
    ("attempted-deliveries", _ATTEMPTS, None, (ACTIVITY,)),
    ("sms-spend", _PRICE, None, ("",)),
)

_CAMPAIGNS_LINES: Final[tuple[_Line, ...]] = (
    ("successful-delivery-rate", _UNIQUE_DELIVERIES, _ATTEMPTS, ("", DATE)),
    ("email-open-rate", _email("open", "unique"), _delivered("unique"), ("", CAMPAIGN)),
    ("unique-deliveries", _UNIQUE_DELIVERIES, None, ("", CAMPAIGN, DATE)),
    ("successful-deliveries", _DELIVERIES, None, (CAMPAIGN,)),
)

_BOTH: Final = ("", DATE)

_DIRECT_LINES: Final[tuple[_Line, ...]] = (
    ("txn-emails-clicked", _email("click"), None, _BOTH),
    ("txn-emails-complaint-rate", _email("complaint"), _email("send"), _BOTH),
    ("txn-emails-with-complaints", _email("complaint"), None, _BOTH),
    ("txn-emails-delivered", _delivered(), None, _BOTH),
    ("txn-emails-delivery-rate", _delivered(), _email("send"), _BOTH),
    ("txn-emails-hard-bounced", _email("hardbounce"), None, _BOTH),
    ("txn-emails-opened", _email("open"), None, _BOTH),
    ("txn-emails-sent", _email("send"), None, _BOTH),
    ("txn-emails-soft-bounced", _email("softbounce"), None, _BOTH),
    ("txn-emails-unique-clicks", _email("click", "unique"), None, _BOTH),
    ("txn-emails-unique-opens", _email("open", "unique"), None, _BOTH),
    ("txn-sms-average-price", _PRICE, Measure(_FINAL_SMS), (COUNTRY,)),
    ("txn-sms-average-price-by-parts", _PRICE, Measure(_FINAL_SMS, "parts"), (COUNTRY,)),
    ("txn-sms-delivered", _sms("SUCCESS"), None, ("", COUNTRY, DATE)),
    ("txn-sms-delivery-rate", _sms("SUCCESS"), _SENT, _BOTH),
    ("txn-sms-delivered-by-parts", _sms("SUCCESS", "parts"), None, ("", COUNTRY)),
    ("txn-sms-sent-by-parts", _sms("BUFFERED", "parts"), None, ("", COUNTRY)),
    ("txn-sms-sent", _SENT, None, ("", COUNTRY, DATE)),
    ("txn-sms-total-price", _PRICE, None, (COUNTRY,)),
)


def _title(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _table(lines: Iterable[_Line], *, direct: bool = False) -> dict[str, Kpi]:
    table: dict[str, Kpi] = {}
    for name, measure, per, groups in lines:
        for group in groups:
            full = f"{name}-grouped-by-{group}" if group else name
            table[full] = Kpi(_title(name), measure, per, group, direct)
    return table


CAMPAIGN_KPIS: Final = _table(_CAMPAIGN_LINES)
APPLICATION_KPIS: Final = {
    **_table(_CAMPAIGNS_LINES),
    **_table(_DIRECT_LINES, direct=True),
    # Its name does not say that it is grouped.
    "txn-sms-error-distribution": Kpi(
        "TxnSmsErrorDistribution", _sms("FAILURE"), None, ERROR, direct=True
    ),
}

# Push is not sent yet, so its figures would be empty without meaning anything.
_CAMPAIGN_NOT_BUILT: Final = frozenset(
    {
        "push-open-rate",
        "push-open-rate-grouped-by-campaign-activity",
        "direct-push-opens-grouped-by-campaign-activity",
    }
)
_APPLICATION_NOT_BUILT: Final = frozenset({"push-open-rate", "push-open-rate-grouped-by-campaign"})


def campaign_kpi(name: str) -> Kpi:
    """A figure of one campaign. Raises InvalidFields, NotBuilt."""
    return _named(name, CAMPAIGN_KPIS, _CAMPAIGN_NOT_BUILT)


def application_kpi(name: str) -> Kpi:
    """A figure of an application. Raises InvalidFields, NotBuilt."""
    return _named(name, APPLICATION_KPIS, _APPLICATION_NOT_BUILT)


def _named(name: str, table: dict[str, Kpi], not_built: frozenset[str]) -> Kpi:
    if name in not_built:
        raise NotBuilt(f"the figure {name}")
    kpi = table.get(name)
    if kpi is None:
        raise InvalidFields([Violation("kpi_name", "is not the name of a figure of this scope")])
    return kpi


def rows(kpi: Kpi, counts: Iterable[Count]) -> list[Row]:
    """The figure, one row a group in the order of the group's text; no data gives no rows."""
    group_of = _GROUP_OF[kpi.group]
    grouped: dict[str, list[Count]] = {}
    for count in counts:
        grouped.setdefault(group_of(count), []).append(count)
    found = ((group, kpi.of(grouped[group])) for group in sorted(grouped))
    return [Row(group, value) for group, value in found if value is not None]


def day_text(day: int) -> str:
    """A day as YYYY-MM-DD; `day` is days since 1970-01-01."""
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()
