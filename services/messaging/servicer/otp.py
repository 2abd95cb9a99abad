"""`touchpoint.messaging.v1.OtpService`."""

from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import otp_service_pb2 as pb

from libs.errors import Violations
from services.messaging.domain.otp import OtpOrder, check, check_pair
from services.messaging.domain.recipients import SMS, normalized
from services.messaging.servicer.direct import message_result
from services.messaging.usecases.otp import OneTimePasswords

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class OtpServicer:
    """One-time passwords."""

    def __init__(self, passwords: OneTimePasswords) -> None:
        self._passwords = passwords

    async def SendOTPMessage(
        self, request: pb.SendOTPMessageRequest, _: Context
    ) -> pb.SendOTPMessageResponse:
        order, found = _order(request), Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.extend(check(order).found)
        found.raise_if_any()
        request_id, result = await self._passwords.send(request.application_id, order)
        return pb.SendOTPMessageResponse(
            application_id=request.application_id,
            request_id=request_id,
            result={request.destination_identity: message_result(result)},
        )

    async def VerifyOTPMessage(
        self, request: pb.VerifyOTPMessageRequest, _: Context
    ) -> pb.VerifyOTPMessageResponse:
        destination, found = normalized(SMS, request.destination_identity), Violations()
        found.check(request.application_id, "application_id", "is needed")
        check_pair(found, destination, request.reference_id)
        found.check(request.otp, "otp", "is needed")
        found.raise_if_any()
        valid = await self._passwords.verify(
            request.application_id, destination, request.reference_id, request.otp
        )
        return pb.VerifyOTPMessageResponse(valid=valid)


def _order(request: pb.SendOTPMessageRequest) -> OtpOrder:
    def number(name: Any) -> int | None:  # noqa: ANN401 - the name of an optional field
        return getattr(request, name) if request.HasField(name) else None

    sender = request.origination_identity
    return OtpOrder(
        request.channel,
        request.brand_name,
        normalized(SMS, request.destination_identity),
        sender if any(map(str.isalpha, sender)) else normalized(SMS, sender),
        request.reference_id,
        number("code_length"),
        number("validity_period"),
        number("allowed_attempts"),
        request.language,
        request.entity_id,
        request.template_id,
    )
