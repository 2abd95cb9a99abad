"""Webhooks of campaigns: what is allowed, whom they reach, and how they are kept."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from touchpoint.campaigns.v1 import campaign_pb2 as pb
from touchpoint.common.v1 import channel_pb2

from services.campaigns.domain.audience import Member, decide, plan
from services.campaigns.domain.campaign import (
    CustomDelivery,
    Definition,
    EmailMessage,
    Says,
    Schedule,
    Treatment,
)
from services.campaigns.domain.push import PUSH_TYPES
from services.campaigns.domain.validation import check
from services.campaigns.servicer.mapping import definition_from_proto
from services.campaigns.store.documents import _definition

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
URL = "https://hooks.example/v1/take?a#b;c,d~e_f-g.h"
WHERE = "campaign.custom_delivery_configuration"


def says(uri: str = URL, types: tuple[str, ...] = (), **more: Any) -> Says:
    return Says(custom_data="hello", custom_delivery=CustomDelivery(uri, types), **more)


def definition(said: Says) -> Definition:
    return Definition("Sale", "segment", said, Schedule("IMMEDIATE"))


def bad(said: Says) -> set[str]:
    return {one.field for one in check(definition(said)).found}


@pytest.mark.parametrize(
    "uri",
    [
        URL,
        "https://hooks.example",
        "https://hooks.example:8443/",
        "https://hooks.example?x",
        # Only for hosts an operator trusts: where a URL leads is seen when it is looked up.
        "http://sandbox:8777/webhooks/a/b",
    ],
)
def test_a_webhook_is_a_url(uri: str) -> None:
    assert bad(says(uri)) == set()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "my-function",
        "arn:aws:lambda:us-east-1:111122223333:function:take",
        "ftp://hooks.example/",
        "https://",
        "https://user:password@hooks.example/",
        "https://hooks.example/a b",
        "https://hooks.example/a=b",
        "https://hooks.example/%2e",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example/\n",
        "https://[::1]/",
        "https://hooks.example/" + "a" * 2048,
    ],
)
def test_what_is_no_such_url_is_refused(uri: str) -> None:
    assert bad(says(uri)) == {f"{WHERE}.delivery_uri"}


def test_functions_are_refused_clearly() -> None:
    [found] = check(definition(says("arn:aws:lambda:eu-west-1:1:function:f"))).found
    assert "function" in found.description
    assert "https URL" in found.description


def test_every_bad_field_is_named() -> None:
    said = replace(
        says("take", ("CUSTOM", "IN_APP", "", "CUSTOM", "EMAIL"), email=EmailMessage("Hi", "Hi")),
        custom_data="x" * 5121,
    )
    treatment = Treatment("1", 10, Says(custom_data="hello"))
    found = check(replace(definition(said), treatments=(treatment,))).found
    assert [one.field for one in found] == [
        "campaign.message_configuration.custom_message.data",
        f"{WHERE}.delivery_uri",
        f"{WHERE}.endpoint_types[1]",
        f"{WHERE}.endpoint_types[2]",
        f"{WHERE}.endpoint_types[3]",
        f"{WHERE}.endpoint_types",
        "campaign.additional_treatments[0].message_configuration",
        "campaign.additional_treatments[0].custom_delivery_configuration",
    ]


def test_data_is_measured_in_bytes() -> None:
    assert bad(replace(says(), custom_data="é" * 2560)) == set()
    assert bad(replace(says(), custom_data="é" * 2561)) == {
        "campaign.message_configuration.custom_message.data"
    }


def test_an_in_app_campaign_has_no_webhook() -> None:
    schedule = Schedule("IMMEDIATE", frequency="IN_APP_EVENT", event_filter=b"x")
    found = check(replace(definition(says(in_app=b"x")), schedule=schedule)).found
    fields = {one.field for one in found}
    assert {WHERE, "campaign.message_configuration.custom_message"} <= fields


def member(channel: str) -> Member:
    return Member(channel, has_address=True, cohort=1, timezone="", opted_out=False, inactive=False)


@pytest.mark.parametrize(
    ("types", "reached"),
    [
        ((), {"CUSTOM"}),
        (("EMAIL", "SMS"), {"EMAIL", "SMS"}),
        (("PUSH", "CUSTOM"), {"CUSTOM", *PUSH_TYPES}),
    ],
)
def test_endpoints_of_other_types_pass_without_delivery(
    types: tuple[str, ...], reached: set[str]
) -> None:
    chosen = plan("campaign", definition(says(types=types)))
    for channel in ("CUSTOM", "EMAIL", "SMS", "VOICE", *PUSH_TYPES):
        reason = "" if channel in reached else "CHANNEL_MISMATCH"
        assert decide(member(channel), chosen, NOW) == ("0", reason)
    assert chosen.routes["0"] == dict.fromkeys(reached, "CUSTOM")


def test_beside_a_webhook_others_get_the_message_of_their_channel() -> None:
    said = definition(says(types=("SMS",), email=EmailMessage("Hi", "Hi")))
    assert plan("campaign", said).routes["0"] == {"EMAIL": "EMAIL", "SMS": "CUSTOM"}
    assert said.reaches == {"EMAIL", "SMS"}


def test_a_webhook_comes_in_and_is_kept() -> None:
    delivery = pb.CustomDeliveryConfiguration(
        delivery_uri=URL,
        endpoint_types=[channel_pb2.CHANNEL_TYPE_EMAIL, channel_pb2.CHANNEL_TYPE_CUSTOM],
    )
    inline = pb.MessageConfiguration(custom_message=pb.CampaignCustomMessage(data="hello"))
    given = pb.Campaign(
        name="Sale",
        segment_id="segment",
        message_configuration=inline,
        custom_delivery_configuration=delivery,
        additional_treatments=[
            pb.Treatment(
                size_percent=50,
                message_configuration=inline,
                custom_delivery_configuration=pb.CustomDeliveryConfiguration(delivery_uri=URL),
            )
        ],
    )
    made = definition_from_proto(given)
    assert made.says == says(types=("EMAIL", "CUSTOM"))
    assert made.treatments[0].says == says()
    assert _definition(asdict(made)) == made
