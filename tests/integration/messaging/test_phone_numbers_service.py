"""Phone numbers through the real gateway."""

from collections.abc import AsyncIterator

import pytest
from grpc import aio
from touchpoint.messaging.v1 import phone_numbers_service_pb2 as pb
from touchpoint.messaging.v1 import phone_numbers_service_pb2_grpc as rpc

from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.running import refusal

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


async def test_a_number_is_told_with_what_was_given(gateway: Gateway) -> None:
    stub = rpc.PhoneNumbersServiceStub(gateway.grpc_channel)
    request = pb.ValidatePhoneNumberRequest(phone_number="0151 12345678", iso_country_code="DE")
    told = (await stub.ValidatePhoneNumber(request, metadata=METADATA)).phone_number
    assert (told.phone_type, told.phone_type_code) == ("MOBILE", 0)
    assert told.cleansed_phone_number_e164 == "+4915112345678"
    assert told.original_phone_number == "0151 12345678"


async def test_bad_fields_are_named(gateway: Gateway) -> None:
    stub = rpc.PhoneNumbersServiceStub(gateway.grpc_channel)
    request = pb.ValidatePhoneNumberRequest(iso_country_code="XX")
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.ValidatePhoneNumber(request, metadata=METADATA)
    assert refusal(caught.value).fields == {"phone_number", "iso_country_code"}
