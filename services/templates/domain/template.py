"""Templates as values: what is allowed in them, and how versions follow each other (spec 5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.errors import InvalidFields, StateConflict, Violation, Violations
from libs.labels import check_tags

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_LONGEST_DESCRIPTION = 500
KINDS = frozenset({"EMAIL", "SMS", "PUSH", "VOICE", "INAPP"})


@dataclass(frozen=True, slots=True)
class Content:
    """What a template says.

    `parts` are its texts by dotted name (`subject`, `apns.title`), each a Handlebars template;
    of a `raw_content` every text in its JSON is one. `facts` are what is taken as it is, such as
    `apns.action`. `document` is the serialized in-app message.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    document: bytes = field(default=b"", repr=False)


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
    found = Violations()
    fine = _NAME.fullmatch(template.name)
    found.check(fine, "template.template_name", "a letter or digit, then to 127 of A-Z a-z 0-9 _ -")
    found.check(template.kind in KINDS, "template.template_type", "is required")
    fine_length = len(template.description) <= _LONGEST_DESCRIPTION
    found.check(fine_length, "template.template_description", "no more than 500 characters")
    check_tags(found, "template.tags", template.tags)
    if template.kind == "INAPP":
        none = not template.default_substitutions
        found.check(none, "template.default_substitutions", "an in-app message has no variables")
    return found


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
    number = head.latest if wanted == "latest" else _number(wanted)
    if not 1 <= number <= head.latest:
        message = f"must be `latest` or 1 to {head.latest}"
        raise InvalidFields([Violation("version", message)])
    return replace(head, active=number)


def _number(text: str) -> int:
    """The version a text of up to nine digits names; 0 when it is none."""
    return int(text) if _DIGITS.fullmatch(text) else 0


def check_deletable(head: Head, version: int) -> None:
    """Refuse to delete the active version alone, which would leave the template without one."""
    if version == head.active:
        raise StateConflict(
            "template", "ACTIVE", "the active version goes only with the whole template"
        )
