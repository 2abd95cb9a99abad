"""Rendering for previews, and the check that every part of a template is well-formed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from touchpoint.endpoints.v1 import endpoint_pb2

from libs.endpoint_values import LAYERS, endpoint_tree
from libs.errors import InvalidFields, Violation, Violations
from libs.handlebars import RenderError, TemplateSyntaxError, compile_template
from libs.handlebars import Template as Compiled
from services.templates.domain import Content, Template


def compiled_parts(template: Template, found: Violations) -> dict[str, Compiled]:
    """Every part of a template, compiled, by its path; bad syntax is noted with line and column."""
    area = template.kind.lower()
    texts = {f"template.{area}.{name}": text for name, text in template.content.parts.items()}
    for number, (_, value) in enumerate(template.content.headers):
        texts[f"template.{area}.headers[{number}].value"] = value
    compiled = {}
    for path, text in texts.items():
        try:
            compiled[path] = compile_template(text, escape=path.endswith(".html_part"))
        except TemplateSyntaxError as error:
            found.add(path, str(error))
    return compiled


def variables(template: Template) -> list[str]:
    """The variables a template reads, dotted."""
    compiled = compiled_parts(template, Violations())
    paths = {".".join(path) for part in compiled.values() for path in part.variables}
    return sorted(paths)


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
    texts = {}
    for path, part in compiled.items():
        try:
            texts[path] = part.render(resolver, now=now)
        except RenderError as error:
            raise InvalidFields([Violation(path, str(error))]) from error
    area = template.kind.lower()
    content = Content(
        {name: texts[f"template.{area}.{name}"] for name in template.content.parts},
        tuple(
            (name, texts[f"template.{area}.headers[{number}].value"])
            for number, (name, _) in enumerate(template.content.headers)
        ),
    )
    missing = sorted(".".join(path) for path in resolver.missing)
    return replace(template, content=content), missing
