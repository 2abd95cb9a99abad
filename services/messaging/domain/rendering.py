"""Rendering of contents for one endpoint: whose value wins, what is missing, what is too long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from libs.handlebars import (
    FlatLayer,
    LayeredResolver,
    Layers,
    RenderError,
    Template,
    TemplateSyntaxError,
    TreeLayer,
    compile_template,
)
from libs.smpp import gsm
from services.messaging.domain.ledger import Reason

Path = tuple[str, ...]
MAX_GSM_CHARACTERS: Final = 1600
MAX_OTHER_CHARACTERS: Final = 630
"""Spec 6.4."""
MAX_EMAIL_BYTES: Final = 10 * 1024 * 1024
"""Spec 6.3."""
MAX_HEADER_CHARACTERS: Final = 870
UNSUBSCRIBE_URL: Final = "UnsubscribeUrl"
# Spec 5.2, highest first. A short name is looked for among user attributes, then attributes.
_LAYERS: Final = Layers(
    (FlatLayer("recipient"), FlatLayer("message"), TreeLayer("endpoint"), FlatLayer("default")),
    prefixes=(("User", "UserAttributes"), ("Attributes",)),
)
_OVERRIDES_KEPT: Final = 256


class RenderingFailed(Exception):
    """A message that cannot be rendered for its recipient: RENDERING_FAILURE, MISSING_VARIABLE or
    CONTENT_TOO_LONG; the text names variables and sizes, never their values.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Source:
    """What is said before rendering. For SMS only `text` counts; `html` belongs to email.

    Of a push notification `text` is the body, `subject` the title, `headers` its other texts.
    """

    channel_type: str
    text: str = ""
    subject: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    substitutions: Mapping[str, str] | None = None
    defaults: Mapping[str, str] | None = None
    skip_on_missing: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    """A recipient's values: own substitutions by dotted name, and the endpoint as a tree."""

    substitutions: Mapping[str, object] | None = None
    endpoint: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The words for one recipient; `parts` is the number of message parts of an SMS."""

    text: str = ""
    subject: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    parts: int = 1


class Content:
    """A source with its templates compiled. Raises RenderingFailed for a template that is none."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._text = _compiled(source.text, escape=False)
        self._subject = _compiled(source.subject, escape=False)
        self._html = _compiled(source.html, escape=True)
        self._headers = tuple((n, _compiled(v, escape=False)) for n, v in source.headers)
        self.variables = frozenset[Path]().union(
            *(t.variables for t in (self._text, self._subject, self._html) if t is not None),
            *(t.variables for _, t in self._headers if t is not None),
        )

    def render(
        self, values: Values, now: datetime, body_override: str = "", title_override: str = ""
    ) -> Rendered:
        """The content for one recipient. Raises RenderingFailed."""
        source = self.source
        resolver = _LAYERS.over(
            values.substitutions, source.substitutions, values.endpoint, source.defaults
        )
        text, html, subject = self._chosen(body_override, title_override)
        rendered = Rendered(
            _rendered(text, resolver, now),
            _rendered(subject, resolver, now),
            _rendered(html, resolver, now),
            tuple((n, _rendered(t, resolver, now)) for n, t in self._headers),
        )
        if resolver.missing and source.skip_on_missing:
            names = ", ".join(sorted(".".join(path) for path in resolver.missing))
            raise RenderingFailed(Reason.MISSING_VARIABLE, f"no value for {names}")
        check = _CHECKS.get(source.channel_type)
        return check(rendered) if check else rendered

    def _chosen(
        self, body_override: str, title_override: str
    ) -> tuple[Template | None, Template | None, Template | None]:
        """Text, HTML and subject templates; an override of the body replaces every body."""
        text, html, subject = self._text, self._html, self._subject
        if body_override and html is not None:
            text, html = None, _override_html(body_override)
        elif body_override:
            text = _override_text(body_override)
        if title_override:
            subject = _override_text(title_override)
        return text, html, subject


def _compiled(text: str, *, escape: bool) -> Template | None:
    if not text:
        return None
    try:
        return compile_template(text, escape=escape)
    except TemplateSyntaxError as error:
        raise RenderingFailed(Reason.RENDERING_FAILURE, str(error)) from error


@lru_cache(_OVERRIDES_KEPT)
def _override_html(text: str) -> Template | None:
    return _compiled(text, escape=True)


@lru_cache(_OVERRIDES_KEPT)
def _override_text(text: str) -> Template | None:
    return _compiled(text, escape=False)


def _rendered(template: Template | None, resolver: LayeredResolver, now: datetime) -> str:
    if template is None:
        return ""
    try:
        return template.render(resolver, now=now)
    except RenderError as error:
        raise RenderingFailed(Reason.RENDERING_FAILURE, str(error)) from error


def _check_sms(rendered: Rendered) -> Rendered:
    text = rendered.text
    if not text:
        raise RenderingFailed(Reason.RENDERING_FAILURE, "the text is empty")
    counted = gsm.count_parts(text)
    is_gsm = counted.encoding is gsm.Encoding.GSM_7
    limit = MAX_GSM_CHARACTERS if is_gsm else MAX_OTHER_CHARACTERS
    length = counted.units if is_gsm else len(text)
    if length > limit:
        raise RenderingFailed(
            Reason.CONTENT_TOO_LONG, f"{length} characters, at most {limit} are sent"
        )
    return Rendered(text, parts=counted.parts)


def _check_email(rendered: Rendered) -> Rendered:
    # Bytes are counted only where characters come near: a character has at most four.
    size = len(rendered.html) + len(rendered.text)
    if size * 4 > MAX_EMAIL_BYTES:
        size = len(rendered.html.encode()) + len(rendered.text.encode())
        if size > MAX_EMAIL_BYTES:
            raise RenderingFailed(Reason.CONTENT_TOO_LONG, f"more than {MAX_EMAIL_BYTES} bytes")
    for name, value in rendered.headers:
        if len(value) > MAX_HEADER_CHARACTERS:
            raise RenderingFailed(Reason.CONTENT_TOO_LONG, f"the header {name} is too long")
    return rendered


_CHECKS: Final[Mapping[str, Callable[[Rendered], Rendered]]] = {
    "SMS": _check_sms,
    "EMAIL": _check_email,
}
