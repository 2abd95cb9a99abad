"""What may be wrong with what a template says, by kind (spec 5.1, 6.3, 6.5, 6.6)."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final
from xml.etree import ElementTree as Xml

from libs.errors import Violations
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
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
_EXPRESSION: Final = re.compile(r"\{\{\{.*?\}\}\}|\{\{.*?\}\}", re.DOTALL)


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
    found.check(content.parts, "template.push.default", "or a part for a service is required")
    for name in PUSH_PARTS:
        own = _below(content.parts, name)
        if not own and not _below(content.facts, name):
            continue
        where, most = f"template.push.{name}", _LONGEST_ADM if name == "adm" else _LONGEST_PUSH
        fine = sum(map(len, own.values())) <= most
        found.check(fine, f"{where}.body", f"no more than {most:,} characters in all")
        _check_push_part(found, where, own, content.facts.get(f"{name}.action", ""))


def _check_push_part(found: Violations, where: str, own: Mapping[str, str], action: str) -> None:
    raw = own.get("raw_content", "")
    found.check(not raw or _is_object(raw), f"{where}.raw_content", "must be a JSON object")
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


def ssml_fault(body: str) -> str:
    """What is wrong with SSML; empty for plain text and for SSML that is well-formed."""
    text = _EXPRESSION.sub("x", body).strip()
    if not text.startswith("<speak"):
        return ""
    if "<!" in text:
        return "SSML may have no declarations or comments"
    try:
        root = Xml.fromstring(text)  # noqa: S314 - what could be expanded is refused above
    except Xml.ParseError as error:
        return f"is no well-formed SSML: {error}"
    return "" if root.tag.rpartition("}")[2] == "speak" else "must be one <speak> element"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _below(values: Mapping[str, str], name: str) -> dict[str, str]:
    """The values under `name.`, without it."""
    begin = f"{name}."
    return {n.removeprefix(begin): v for n, v in values.items() if n.startswith(begin)}
