"""A campaign's definition as a value (spec 8.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.campaigns.domain.push import PUSH_TYPES, PushMessages

ONCE = "ONCE"
IN_APP_EVENT = "IN_APP_EVENT"
CUSTOM = "CUSTOM"


class CampaignState(Enum):
    """Where a campaign stands (spec 8.9); STOPPED is ours, for an operator's final stop."""

    SCHEDULED = "SCHEDULED"
    EXECUTING = "EXECUTING"
    PENDING_NEXT_RUN = "PENDING_NEXT_RUN"
    COMPLETED = "COMPLETED"
    PAUSED = "PAUSED"
    DELETED = "DELETED"
    INVALID = "INVALID"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """An email written into a campaign."""

    title: str = ""
    body: str = ""
    html_body: str = ""
    from_address: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """A text message written into a campaign."""

    body: str = ""
    message_type: str = "PROMOTIONAL"
    origination_number: str = ""
    sender_id: str = ""
    entity_id: str = ""
    template_id: str = ""


@dataclass(frozen=True, slots=True)
class TemplateReference:
    """A template; version 0 is the one active when a run starts."""

    name: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class CustomDelivery:
    """A webhook and the types of the endpoints it delivers to; none means CUSTOM alone."""

    delivery_uri: str
    endpoint_types: tuple[str, ...] = ()

    @property
    def reaches(self) -> frozenset[str]:
        """The types it delivers to; PUSH is every push service."""
        given = frozenset(self.endpoint_types or (CUSTOM,))
        return given - {"PUSH"} | PUSH_TYPES if "PUSH" in given else given


@dataclass(frozen=True, slots=True)
class Says:
    """What one treatment says, by channel: inline messages or templates.

    `in_app` is a serialized in-app message, passed on unread; None when there is none.
    `custom_data` is what a webhook is told; None when nothing is.
    """

    email: EmailMessage | None = None
    sms: SmsMessage | None = None
    email_template: TemplateReference | None = None
    sms_template: TemplateReference | None = None
    push: PushMessages = field(default_factory=PushMessages)
    push_template: TemplateReference | None = None
    in_app: bytes | None = None
    in_app_template: TemplateReference | None = None
    custom_data: str | None = None
    custom_delivery: CustomDelivery | None = None

    @property
    def channels(self) -> frozenset[str]:
        """The channels there is something to say on."""
        email = {"EMAIL"} if self.email or self.email_template else set()
        sms = {"SMS"} if self.sms or self.sms_template else set()
        push = PUSH_TYPES if self.push_template else self.push.channels
        in_app = {"IN_APP"} if self.in_app is not None or self.in_app_template else set()
        custom = {CUSTOM} if self.custom_delivery else set()
        return frozenset(email | sms | push | in_app | custom)

    @property
    def routes(self) -> Mapping[str, str]:
        """The channel that something is said on, by the type of the endpoints that get it."""
        own = {channel: channel for channel in self.channels - {CUSTOM}}
        delivered = self.custom_delivery.reaches if self.custom_delivery else ()
        return dict.fromkeys(delivered, CUSTOM) | own

    @property
    def templates(self) -> dict[str, TemplateReference]:
        """The templates that are named, by their field."""
        named = ("email_template", "sms_template", "push_template", "in_app_template")
        return {name: found for name in named if (found := getattr(self, name))}

    @property
    def message_type(self) -> str:
        """TRANSACTIONAL only when the text message says so (spec 6.4)."""
        return self.sms.message_type if self.sms else "PROMOTIONAL"


@dataclass(frozen=True, slots=True)
class Treatment:
    """An A/B variant beside the campaign's own message."""

    treatment_id: str
    size_percent: int
    says: Says
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class QuietTime:
    """Clock times, `HH:MM`, both included."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a campaign is sent: `IMMEDIATE`, or an instant with offset.

    `event_filter` is the serialized event of an in-app campaign, passed on unread.
    """

    start_time: str
    end_time: str = ""
    quiet_time: QuietTime | None = None
    frequency: str = ONCE
    event_filter: bytes = b""


@dataclass(frozen=True, slots=True)
class Limits:
    """How often and how fast; zero means no limit."""

    daily: int = 0
    total: int = 0
    session: int = 0
    messages_per_second: int = 0
    maximum_duration: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """What the author of a campaign wrote."""

    name: str
    segment_id: str
    says: Says
    schedule: Schedule
    description: str = ""
    segment_version: int = 0
    limits: Limits = field(default_factory=Limits)
    holdout_percent: int = 0
    is_paused: bool = False
    treatments: tuple[Treatment, ...] = ()
    treatment_name: str = ""
    treatment_description: str = ""
    priority: int = 0
    # The application's setting when the campaign was written (spec 1.6).
    skip_on_missing_variable: bool = False

    @property
    def all_says(self) -> dict[str, Says]:
        """What every treatment says, by treatment id; "0" is the campaign's own."""
        return {"0": self.says} | {t.treatment_id: t.says for t in self.treatments}

    @property
    def is_in_app(self) -> bool:
        """Whether apps show it at an event, so that nothing is ever sent."""
        return self.schedule.frequency == IN_APP_EVENT

    @property
    def reaches(self) -> frozenset[str]:
        """Types of the endpoints that get something."""
        return frozenset().union(*(says.routes for says in self.all_says.values()))


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign: its latest definition and where it stands."""

    campaign_id: str
    application_id: str
    definition: Definition
    version: int
    state: CampaignState
    start_time: datetime
    creation_date: datetime
    last_modified_date: datetime
    state_reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    revision: int = 0
