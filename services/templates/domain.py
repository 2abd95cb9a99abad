"""Templates as values: what is allowed in them, and how versions follow each other (spec 5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.errors import InvalidFields, NotBuilt, StateConflict, Violation, Violations
from libs.labels import check_tags

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
# Limits of spec 5.1 and 6.3, in characters.
_LONGEST_EMAIL = 600_000
_LONGEST_SMS = 1_600
_LONGEST_DESCRIPTION = 500
_LONGEST_HEADER_NAME = 126
_LONGEST_HEADER_VALUE = 870
_MOST_HEADERS = 15
BUILT = frozenset({"EMAIL", "SMS"})


@dataclass(frozen=True, slots=True)
class Content:
    """What a template says: `parts` by name (subject, html_part, text_part, body), and headers."""

    parts: Mapping[str, str]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template."""

    name: str
    kind: str
    content: Content
    description: str = ""
    default_substitutions: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    active: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    creation_date: datetime | None = None
    last_modified_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What all versions of a template share; kept beside them and changed under `revision`."""

    name: str
    kind: str
    latest: int
    active: int
    tags: Mapping[str, str]
    creation_date: datetime
    revision: int = 0


def check(template: Template) -> Violations:
    """Everything wrong with a template, under the request's path."""
    if template.kind not in BUILT and template.kind != "UNSPECIFIED":
        raise NotBuilt(f"the template type {template.kind}")
    found = Violations()
    fine = _NAME.fullmatch(template.name)
    found.check(fine, "template.template_name", "a letter or digit, then to 127 of A-Z a-z 0-9 _ -")
    found.check(template.kind in BUILT, "template.template_type", "is required")
    fine_length = len(template.description) <= _LONGEST_DESCRIPTION
    found.check(fine_length, "template.template_description", "no more than 500 characters")
    _check_content(found, template)
    check_tags(found, "template.tags", template.tags)
    return found


def _check_content(found: Violations, template: Template) -> None:
    parts = template.content.parts
    if template.kind == "SMS":
        found.check(parts.get("body"), "template.sms.body", "is required")
        fine = len(parts.get("body", "")) <= _LONGEST_SMS
        found.check(fine, "template.sms.body", "no more than 1,600 characters")
    if template.kind == "EMAIL":
        found.check(parts.get("subject"), "template.email.subject", "is required")
        some = parts.get("html_part") or parts.get("text_part")
        found.check(some, "template.email.html_part", "needs html_part or text_part")
        fine = sum(map(len, parts.values())) <= _LONGEST_EMAIL
        found.check(fine, "template.email.html_part", "no more than 600,000 characters in all")
        _check_headers(found, template.content.headers)


def _check_headers(found: Violations, headers: tuple[tuple[str, str], ...]) -> None:
    found.check(len(headers) <= _MOST_HEADERS, "template.email.headers", "no more than 15")
    for number, (name, value) in enumerate(headers):
        path = f"template.email.headers[{number}]"
        named = 1 <= len(name) <= _LONGEST_HEADER_NAME and name.isascii() and ":" not in name
        found.check(named, f"{path}.name", "1 to 126 ASCII characters without a colon")
        one_line = "\r" not in value and "\n" not in value
        fine = len(value) <= _LONGEST_HEADER_VALUE and one_line
        found.check(fine, f"{path}.value", "one line of up to 870 characters")


def first_version(template: Template, now: datetime) -> tuple[Head, Template]:
    """The first save: version 1, active at once (spec 5.4)."""
    head = Head(template.name, template.kind, 1, 1, dict(template.tags), now)
    return head, replace(
        template, version=1, active=True, creation_date=now, last_modified_date=now
    )


def next_version(
    head: Head, template: Template, now: datetime, *, create_new: bool, version: int
) -> tuple[Head, Template]:
    """What an update writes: a new version that is not active, or the latest one anew (spec 5.4).

    Raises InvalidFields when `version` is not the latest, or is given with `create_new`.
    """
    if create_new and version:
        raise InvalidFields([Violation("version", "not together with create_new_version")])
    if version and version != head.latest:
        message = f"must be the latest version, {head.latest}"
        raise InvalidFields([Violation("version", message)])
    number = head.latest + 1 if create_new else head.latest
    written = replace(
        template,
        version=number,
        active=number == head.active,
        tags=head.tags,
        creation_date=head.creation_date,
        last_modified_date=now,
    )
    return replace(head, latest=number), written


def activated(head: Head, wanted: str) -> Head:
    """The head with another active version: `latest` or a number. Raises InvalidFields."""
    number = head.latest if wanted == "latest" else int(wanted) if wanted.isdigit() else 0
    if not 1 <= number <= head.latest:
        message = f"must be `latest` or 1 to {head.latest}"
        raise InvalidFields([Violation("version", message)])
    return replace(head, active=number)


def check_deletable(head: Head, version: int) -> None:
    """Refuse to delete the active version alone, which would leave the template without one."""
    if version == head.active:
        raise StateConflict(
            "template", "ACTIVE", "the active version goes only with the whole template"
        )
