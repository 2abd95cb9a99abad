"""Amazon resource names of what can carry labels."""

import re
from dataclasses import dataclass
from typing import Final

_ARN: Final = re.compile(
    r"arn:[\w-]+:mobiletargeting:[\w-]*:\d*:"
    r"(?:apps/(?P<app>[^/]+)(?:/(?P<kind>segments|campaigns)/(?P<id>[^/]+))?"
    r"|templates/(?P<template>[^/]+/[A-Z]+))"
)
_SERVICES: Final = {None: "applications", "segments": "segmentation", "campaigns": "campaigns"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A resource: the service that keeps it, and its ids as that service's tags know them."""

    service: str
    application_id: str
    resource_id: str


def labelled(arn: str) -> Labelled | None:
    """What a name means; None when it names nothing that carries labels."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    if found["template"]:
        return Labelled("templates", "", found["template"])
    return Labelled(_SERVICES[found["kind"]], found["app"], found["id"] or "")
