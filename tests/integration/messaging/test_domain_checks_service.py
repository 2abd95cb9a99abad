"""Sending domains through the real gateway, which asks a DNS server on loopback."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpc import aio
from touchpoint.messaging.v1 import channels_service_pb2
from touchpoint.messaging.v1 import domains_service_pb2 as pb
from touchpoint.messaging.v1 import domains_service_pb2_grpc as rpc

from libs.ids import new_id
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.name_server import NameServer, name_server
from tests.support.running import refusal

pytestmark = pytest.mark.servers
Verdicts = dict[str, str]


@pytest.fixture(scope="module")
async def dns() -> AsyncIterator[NameServer]:
    async with name_server() as server:
        yield server


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, dns: NameServer
) -> AsyncIterator[Gateway]:
    async with running_gateway(
        mongo_uri, amqp_url, database_prefix, dns_addr=dns.address
    ) as running:
        yield running


async def checked(
    gateway: Gateway, app_id: str, domain: str = "", selector: str = ""
) -> pb.CheckDomainResponse:
    stub = rpc.DomainsServiceStub(gateway.grpc_channel)
    request = pb.CheckDomainRequest(application_id=app_id, domain=domain, dkim_selector=selector)
    return await stub.CheckDomain(request, metadata=METADATA)


def verdicts(checks: Iterable[pb.DomainCheck]) -> Verdicts:
    return {
        pb.DomainCheck.Kind.Name(one.kind).removeprefix("KIND_"): pb.DomainCheck.Verdict.Name(
            one.verdict
        ).removeprefix("VERDICT_")
        for one in checks
    }


async def signing_channel(gateway: Gateway) -> str:
    app_id = new_id()
    await save(gateway, app_id)
    return app_id


async def save(
    gateway: Gateway, app_id: str, **more: Any
) -> channels_service_pb2.UpdateEmailChannelResponse:
    pem = generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    settings = {
        "enabled": True,
        "from_address": "Shop <news@shop.example>",
        "identity": "shop.example",
        "dkim": channels_service_pb2.DkimKey(selector="s1", private_key=pem.decode()),
    }
    answer: channels_service_pb2.UpdateEmailChannelResponse = (
        await gateway.channels.UpdateEmailChannel(
            channels_service_pb2.UpdateEmailChannelRequest(
                application_id=app_id,
                email_channel=channels_service_pb2.EmailChannel(**{**settings, **more}),
            ),
            metadata=METADATA,
        )
    )
    return answer


def publish(dns: NameServer, checks: Iterable[pb.DomainCheck]) -> None:
    """Do as the checks say."""
    for one in checks:
        if one.record_to_publish:
            # A text longer than 255 characters stands in a zone in pieces.
            text = one.record_to_publish
            pieces = [text[start : start + 200] for start in range(0, len(text), 200)]
            dns.zone[one.host, "TXT"] = [" ".join(f'"{piece}"' for piece in pieces)]
    dns.zone["shop.example", "MX"] = ["10 mx.shop.example."]


async def test_what_is_missing_is_told_and_passes_once_it_is_published(
    gateway: Gateway, dns: NameServer
) -> None:
    app_id = await signing_channel(gateway)
    dns.zone.clear()
    before = await checked(gateway, app_id)
    assert before.domain == "shop.example"
    assert verdicts(before.checks) == {"SPF": "FAIL", "DKIM": "FAIL", "DMARC": "FAIL", "MX": "WARN"}
    publish(dns, before.checks)
    after = await checked(gateway, app_id)
    assert verdicts(after.checks) == dict.fromkeys(("SPF", "DKIM", "DMARC", "MX"), "PASS")
    assert not any(one.record_to_publish for one in after.checks)
    assert [list(one.records) for one in after.checks][3] == ["10 mx.shop.example."]


async def test_saving_an_email_channel_warns_and_does_not_refuse(
    gateway: Gateway, dns: NameServer
) -> None:
    app_id = new_id()
    dns.zone.clear()
    first = await save(gateway, app_id)
    assert first.email_channel.status.version == 1
    [spf, dkim, dmarc, mx] = first.domain_warnings
    assert verdicts(first.domain_warnings) == {
        "SPF": "FAIL",
        "DKIM": "FAIL",
        "DMARC": "FAIL",
        "MX": "WARN",
    }
    publish(dns, [spf, dmarc, mx])
    again = await save(gateway, app_id, dkim=channels_service_pb2.DkimKey(selector="s1"))
    assert [one.host for one in again.domain_warnings] == [dkim.host]
    publish(dns, again.domain_warnings)
    assert not (
        await save(gateway, app_id, dkim=channels_service_pb2.DkimKey(selector="s1"))
    ).domain_warnings


async def test_a_channel_that_is_off_is_not_warned_of(gateway: Gateway, dns: NameServer) -> None:
    dns.zone.clear()
    assert not (await save(gateway, new_id(), enabled=False)).domain_warnings


async def test_a_dns_without_answers_is_told_and_the_channel_saved(
    gateway: Gateway, dns: NameServer
) -> None:
    dns.zone.clear()
    names = ("", "_dmarc.", "s1._domainkey.")
    dns.broken |= {f"{name}away.example" for name in names}
    saved = await save(gateway, new_id(), from_address="news@away.example", identity="away.example")
    assert set(verdicts(saved.domain_warnings).values()) == {"UNKNOWN"}
    assert saved.email_channel.status.version == 1


async def test_another_domain_is_looked_at_for_itself(gateway: Gateway, dns: NameServer) -> None:
    app_id = await signing_channel(gateway)
    dns.zone.clear()
    dns.zone["other.example", "TXT"] = ['"v=spf1 mx -all"']
    dns.zone["k1._domainkey.other.example", "TXT"] = ['"v=DKIM1; p="']
    found = verdicts((await checked(gateway, app_id, "OTHER.example", "k1")).checks)
    assert (found["SPF"], found["DKIM"]) == ("PASS", "FAIL")
    assert verdicts((await checked(gateway, app_id, "other.example")).checks)["DKIM"] == "WARN"


async def test_a_dns_without_answers_is_no_verdict(gateway: Gateway, dns: NameServer) -> None:
    dns.zone.clear()
    dns.broken |= {"down.example", "_dmarc.down.example", "k1._domainkey.down.example"}
    found = await checked(gateway, new_id(), "down.example", "k1")
    assert set(verdicts(found.checks).values()) == {"UNKNOWN"}


async def test_bad_fields_are_named(gateway: Gateway) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await checked(gateway, new_id(), "no domain", "s/1")
    assert refusal(caught.value).fields == {"domain", "dkim_selector"}
    with pytest.raises(aio.AioRpcError) as caught:
        await checked(gateway, new_id())
    assert refusal(caught.value).fields == {"domain"}
