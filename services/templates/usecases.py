"""Rendering for previews, and the check that every part of a template is well-formed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from touchpoint.endpoints.v1 import endpoint_pb2

from libs.endpoint_values import LAYERS, endpoint_tree
from libs.errors import InvalidFields, Violation, Violations
from libs.handlebars import (
    RenderError,
    TemplateSyntaxError,
    compile_template,
    texts_of,
    with_texts,
)
from libs.handlebars import Template as Compiled
from libs.json_object import json_object
from libs.ssml import is_ssml
from services.templates.domain.template import Content, Template

_RAW = "raw_content"


@dataclass(frozen=True, slots=True)
class Piece:
    """One text that is a template: its path in the request, and whether values are escaped."""

    path: str
    text: str
    escape: bool = False


def compiled_parts(template: Template, found: Violations) -> list[tuple[str, Compiled]]:
    """Every text of a template, compiled, in order; bad syntax is noted with line and column."""
    compiled = []
    for piece in _pieces(template):
        try:
            compiled.append((piece.path, compile_template(piece.text, escape=piece.escape)))
        except TemplateSyntaxError as error:
            found.add(piece.path, str(error))
    return compiled


def variables(template: Template) -> list[str]:
    """The variables a template reads, dotted."""
    compiled = compiled_parts(template, Violations())
    return sorted({".".join(path) for _, part in compiled for path in part.variables})


def rendered(
    template: Template,
    endpoint: endpoint_pb2.Endpoint,
    substitutions: Mapping[str, str],
    now: datetime,
) -> tuple[Template, list[str]]:
    """The template for one endpoint, and the variables that had neither value nor default.

    Raises InvalidFields for bad syntax and for a template that cannot be rendered.
    """
    found = Violations()
    compiled = compiled_parts(template, found)
    found.raise_if_any()
    resolver = LAYERS.over(
        dict(substitutions), None, endpoint_tree(endpoint), dict(template.default_substitutions)
    )
    texts = []
    for path, part in compiled:
        try:
            texts.append(part.render(resolver, now=now))
        except RenderError as error:
            raise InvalidFields([Violation(path, str(error))]) from error
    missing = sorted(".".join(path) for path in resolver.missing)
    return replace(template, content=_with_texts(template.content, iter(texts))), missing


def _pieces(template: Template) -> Iterator[Piece]:
    area = template.kind.lower()
    for name, text in template.content.parts.items():
        path = f"template.{area}.{name}"
        if name.endswith(_RAW):
            yield from (Piece(path, one) for one in texts_of(json_object(text)))
        else:
            yield Piece(path, text, escape=_is_markup(template.kind, name, text))
    for number, (_, value) in enumerate(template.content.headers):
        yield Piece(f"template.{area}.headers[{number}].value", value)


def _with_texts(content: Content, texts: Iterator[str]) -> Content:
    """The content with its texts rendered, in the order of `_pieces`."""
    parts = {
        name: _with_raw(text, texts) if name.endswith(_RAW) else next(texts)
        for name, text in content.parts.items()
    }
    headers = tuple((name, next(texts)) for name, _ in content.headers)
    return replace(content, parts=parts, headers=headers)


def _is_markup(kind: str, name: str, text: str) -> bool:
    """Whether values are escaped: in HTML, and in SSML as when it is spoken."""
    return name == "html_part" or (kind == "VOICE" and is_ssml(text))


def _with_raw(text: str, texts: Iterator[str]) -> str:
    """JSON with its texts rendered; as it is when it is none, which checks refuse."""
    document = json_object(text)
    return text if document is None else json.dumps(with_texts(document, texts), ensure_ascii=False)
