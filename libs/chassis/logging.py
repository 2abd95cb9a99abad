"""structlog: JSON in production, coloured lines locally; the call's ids on every line."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from libs.chassis import context

# Names of keys whose values never reach a log, whatever code passes them.
_SENSITIVE = frozenset(
    {"password", "secret", "token", "authorization", "body", "html", "text", "private_key", "otp"}
)


def _add_call(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if request_id := context.request_id():
        event.setdefault("request_id", request_id)
    if app_id := context.application_id():
        event.setdefault("application_id", app_id)
    return event


def _hide_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in _SENSITIVE.intersection(event):
        event[key] = "[hidden]"
    return event


def configure(service: str, level: str, style: str) -> None:
    """Set logging up for this process. `style` is `json` or `console`."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_call,
            _hide_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s %(message)s")


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The process's logger."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
