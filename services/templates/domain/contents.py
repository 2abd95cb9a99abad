"""What may be wrong with what a template says, by kind (spec 5.1, 6.3, 6.5, 6.6)."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from libs.errors import Violations
from libs.json_object import DEEPEST, json_object
from services.templates.domain.ssml import ssml_fault
from services.templates.domain.template import Content, Template

PUSH_PARTS: Final = ("default", "apns", "gcm", "adm", "baidu")
# Limits of spec 5.1 and 6.3, in characters.
_LONGEST_EMAIL: Final = 600_000
_LONGEST_SMS: Final = 1_600
_LONGEST_VOICE: Final = 10_000
_LONGEST_PUSH: Final = 4_000
_LONGEST_ADM: Final = 6_000
_LONGEST_HEADER_NAME: Final = 126
_LONGEST_HEADER_VALUE: Final = 870
_MOST_HEADERS: Final = 15
_ACTIONS: Final = frozenset({"", "OPEN_APP", "DEEP_LINK", "URL"})
# As Amazon Polly has them: `en-US`, but also `arb` and `en-GB-WLS`.
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2}(-[A-Z]{3})?)?")
_VOICE: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")


def check_content(found: Violations, template: Template) -> None:
    """Note every bad part of a template; in-app messages are checked where they are decoded."""
    checks: Mapping[str, Callable[[Violations, Content], None]] = {
        "EMAIL": _check_email,
        "SMS": _check_sms,
        "PUSH": _check_push,
        "VOICE": _check_voice,
    }
    if template.kind in checks:
        checks[template.kind](found, template.content)


def _check_sms(found: Violations, content: Content) -> None:
    body = content.parts.get("body", "")
    found.check(body, "template.sms.body", "is required")
    found.check(len(body) <= _LONGEST_SMS, "template.sms.body", "no more than 1,600 characters")


def _check_email(found: Violations, content: Content) -> None:
    parts = content.parts
    found.check(parts.get("subject"), "template.email.subject", "is required")
    some = parts.get("html_part") or parts.get("text_part")
    found.check(some, "template.email.html_part", "needs html_part or text_part")
    fine = sum(map(len, parts.values())) <= _LONGEST_EMAIL
    found.check(fine, "template.email.html_part", "no more than 600,000 characters in all")
    _check_headers(found, content.headers)


def _check_headers(found: Violations, headers: tuple[tuple[str, str], ...]) -> None:
    found.check(len(headers) <= _MOST_HEADERS, "template.email.headers", "no more than 15")
    for number, (name, value) in enumerate(headers):
        path = f"template.email.headers[{number}]"
        named = 1 <= len(name) <= _LONGEST_HEADER_NAME and name.isascii() and ":" not in name
        found.check(named, f"{path}.name", "1 to 126 ASCII characters without a colon")
        one_line = "\r" not in value and "\n" not in value
        fine = len(value) <= _LONGEST_HEADER_VALUE and one_line
        found.check(fine, f"{path}.value", "one line of up to 870 characters")


def _check_push(found: Violations, content: Content) -> None:
    some = content.parts or content.facts
    found.check(some, "template.push.default", "or a part for a service is required")
    for name in PUSH_PARTS:
        texts, facts = _below(content.parts, name), _below(content.facts, name)
        if texts or facts:
            where, most = f"template.push.{name}", _LONGEST_ADM if name == "adm" else _LONGEST_PUSH
            action = facts.pop("action", "")
            _check_length(found, where, texts | facts, most)
            _check_push_part(found, where, texts, action)


def _check_length(found: Violations, where: str, said: Mapping[str, str], most: int) -> None:
    """Note the longest field when all together are too long."""
    if sum(map(len, said.values())) > most:
        longest = max(said, key=lambda name: len(said[name]))
        found.add(f"{where}.{longest}", f"no more than {most:,} characters in all")


def _check_push_part(found: Violations, where: str, own: Mapping[str, str], action: str) -> None:
    raw = own.get("raw_content", "")
    fine = not raw or json_object(raw) is not None
    found.check(fine, f"{where}.raw_content", f"must be a JSON object, to {DEEPEST} levels")
    found.check(action in _ACTIONS, f"{where}.action", "must be OPEN_APP, DEEP_LINK or URL")
    needs_url = action in {"DEEP_LINK", "URL"} and not raw
    found.check(not needs_url or own.get("url"), f"{where}.url", f"is needed beside {action}")
    some = raw or own.get("title") or own.get("body")
    found.check(some, f"{where}.body", "title, body or raw_content is needed")


def _check_voice(found: Violations, content: Content) -> None:
    body, language = content.parts.get("body", ""), content.facts.get("language_code", "")
    where = "template.voice.body"
    if found.check(body, where, "is required"):
        found.check(len(body) <= _LONGEST_VOICE, where, "no more than 10,000 characters")
        found.check(not (fault := ssml_fault(body)), where, fault)
    fine = not language or _LANGUAGE.fullmatch(language)
    found.check(fine, "template.voice.language_code", "must be a language, such as en-US")
    voice = content.facts.get("voice_id", "")
    fine = not voice or _VOICE.fullmatch(voice)
    found.check(fine, "template.voice.voice_id", "up to 64 letters, digits, dots and hyphens")


def _below(values: Mapping[str, str], name: str) -> dict[str, str]:
    """The values under `name.`, without it."""
    begin = f"{name}."
    return {n.removeprefix(begin): v for n, v in values.items() if n.startswith(begin)}
