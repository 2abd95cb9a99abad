"""Whether the templates written into a campaign can be read."""

from collections.abc import Iterator

from libs.errors import Violations
from libs.handlebars import TemplateSyntaxError, compile_template, texts_of
from libs.json_object import json_object
from services.campaigns.domain.campaign import Definition, Says
from services.campaigns.domain.push import TEXTS, PushMessage


def path_of(treatment_id: str) -> str:
    """Where a treatment stands in the request, up to the names of its fields."""
    number = int(treatment_id)
    return f"campaign.additional_treatments[{number - 1}]." if number else "campaign."


def check_syntax(definition: Definition, found: Violations) -> None:
    """Note every field that holds a template with a mistake in it."""
    for treatment_id, says in definition.all_says.items():
        path = f"{path_of(treatment_id)}message_configuration."
        for field, text in _texts(says):
            try:
                compile_template(text, escape=False)
            except TemplateSyntaxError as error:
                found.add(path + field, str(error))


def _texts(says: Says) -> Iterator[tuple[str, str]]:
    if email := says.email:
        for part in ("title", "body", "html_body"):
            yield f"email_message.{part}", getattr(email, part)
    if sms := says.sms:
        yield "sms_message.body", sms.body
    for service, message in says.push.given():
        for field, text in _push_texts(message):
            yield f"{service}_message.{field}", text


def _push_texts(message: PushMessage) -> Iterator[tuple[str, str]]:
    for field in TEXTS:
        yield field, getattr(message, field)
    for text in texts_of(json_object(message.raw_content) or {}):
        yield "raw_content", text
    for text in texts_of(json_object(message.json_body) or {}):
        yield "json_body", text
