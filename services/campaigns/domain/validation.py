"""What is allowed in a campaign (spec 8.2 to 8.7); every bad field is named."""

import re

from libs.errors import Violations
from services.campaigns.domain.campaign import Definition, EmailMessage, Limits, Says, SmsMessage
from services.campaigns.domain.custom import check_custom
from services.campaigns.domain.in_app import check_in_app
from services.campaigns.domain.push import PUSH_TYPES, check_push

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_SENDER_ID = re.compile(r"[A-Za-z0-9_ -]{1,11}")
_MOST_TREATMENTS = 4
_MOST_HEADERS = 15
_LONGEST = {"name": 128, "description": 500, "treatment_name": 128, "treatment_description": 500}
_LONGEST_SMS = 1600
_LONGEST_EMAIL = 600_000
_RATES = {
    "daily": (0, 100),
    "total": (0, 100),
    "session": (0, 100),
    "messages_per_second": (0, 20_000),
}


def check(definition: Definition, prefix: str = "campaign") -> Violations:
    """Everything wrong with a definition, under the request's path."""
    found, inner = Violations(), Violations()
    inner.check(definition.name.strip(), "name", "is required")
    inner.check(definition.segment_id, "segment_id", "is required")
    for name, longest in _LONGEST.items():
        fine = len(getattr(definition, name)) <= longest
        inner.check(fine, name, f"no more than {longest} characters")
    inner.check(definition.segment_version >= 0, "segment_version", "must not be negative")
    inner.check(0 <= definition.holdout_percent <= 100, "holdout_percent", "must be 0 to 100")
    inner.check(0 <= definition.priority <= 5, "priority", "must be 1 to 5")
    _check_limits(inner, definition.limits)
    _check_quiet_time(inner, definition)
    _check_says(inner, definition.says, "")
    _check_treatments(inner, definition)
    check_in_app(inner, definition)
    found.extend(inner.found, prefix)
    return found


def _check_limits(found: Violations, limits: Limits) -> None:
    for name, (low, high) in _RATES.items():
        found.check(low <= getattr(limits, name) <= high, f"limits.{name}", f"{low} to {high}")
    duration = limits.maximum_duration
    found.check(duration == 0 or duration >= 60, "limits.maximum_duration", "60 or more")


def _check_quiet_time(found: Violations, definition: Definition) -> None:
    if quiet := definition.schedule.quiet_time:
        for part in ("start", "end"):
            fine = _CLOCK.fullmatch(getattr(quiet, part))
            found.check(fine, f"schedule.quiet_time.{part}", "must be HH:MM")


def _check_treatments(found: Violations, definition: Definition) -> None:
    field = "additional_treatments"
    treatments = definition.treatments
    found.check(len(treatments) <= _MOST_TREATMENTS, field, "no more than 4")
    for number, treatment in enumerate(treatments):
        path = f"{field}[{number}]"
        found.check(1 <= treatment.size_percent <= 100, f"{path}.size_percent", "must be 1 to 100")
        _check_says(found, treatment.says, f"{path}.")
    shares = sum(t.size_percent for t in treatments) + definition.holdout_percent
    found.check(shares <= 100, field, "shares and holdout are more than 100 per cent")


def _check_says(found: Violations, says: Says, path: str) -> None:
    found.check(says.channels, f"{path}message_configuration", "says nothing on any channel")
    _check_templates(found, says, f"{path}template_configuration")
    check_custom(found, says, path)
    check_push(found, says.push, f"{path}message_configuration.")
    if says.email is not None:
        _check_email(found, says.email, f"{path}message_configuration.email_message")
    if says.sms is not None:
        _check_sms(found, says.sms, f"{path}message_configuration.sms_message")


def _check_templates(found: Violations, says: Says, path: str) -> None:
    inline = {
        "email_template": says.email is not None,
        "sms_template": says.sms is not None,
        # Beside the messages of some services the template speaks for the others (spec 8.2).
        "push_template": says.push.channels == PUSH_TYPES,
        "in_app_template": says.in_app is not None,
    }
    for field, template in says.templates.items():
        where = f"{path}.{field}"
        found.check(not inline[field], where, "not together with inline content of the channel")
        found.check(template.name, f"{where}.name", "is required")
        found.check(template.version >= 0, f"{where}.version", "must not be negative")


def _check_email(found: Violations, email: EmailMessage, path: str) -> None:
    found.check(email.title.strip(), f"{path}.title", "is required")
    found.check(email.body or email.html_body, f"{path}.body", "needs a body or html_body")
    for part in ("body", "html_body"):
        fine = len(getattr(email, part)) <= _LONGEST_EMAIL
        found.check(fine, f"{path}.{part}", f"no more than {_LONGEST_EMAIL} characters")
    found.check(len(email.headers) <= _MOST_HEADERS, f"{path}.headers", "no more than 15")


def _check_sms(found: Violations, sms: SmsMessage, path: str) -> None:
    found.check(sms.body.strip(), f"{path}.body", "is required")
    found.check(len(sms.body) <= _LONGEST_SMS, f"{path}.body", "no more than 1,600 characters")
    fine = not sms.sender_id or _SENDER_ID.fullmatch(sms.sender_id)
    found.check(fine, f"{path}.sender_id", "1 to 11 letters, digits, _ or -")
