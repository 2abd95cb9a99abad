"""Amazon SES (API v2) and AWS End User Messaging (SMS and voice v2), through aiobotocore."""

import asyncio
from abc import abstractmethod
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)

from libs.smpp.gsm import count_parts
from services.messaging.adapters.side_by_side import NotReached, SideBySide
from services.messaging.domain.accounts import aws_key
from services.messaging.domain.amazon_events import REFERENCE
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import Outbound, OutboundEmail, OutboundSms, OutboundVoice
from services.messaging.domain.outcomes import Answer, Status

_AT_ONCE: Final = 64
_BEFORE: Final = (ConnectTimeoutError, EndpointConnectionError)
_THROTTLED: Final = frozenset(
    {"TooManyRequestsException", "ThrottlingException", "LimitExceededException"}
)
_SENDER: Final = frozenset(
    {
        "AccessDeniedException",
        "AccountSuspendedException",
        "InvalidClientTokenId",
        "MailFromDomainNotVerifiedException",
        "ResourceNotFoundException",
        "SendingPausedException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_SERVER_ERROR: Final = 500
_DETAIL_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class AwsAccount:
    """Who we are to AWS, and where: an empty `url` means the region's own address."""

    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    configuration_set: str = ""
    url: str = ""
    timeout_seconds: float = 20.0
    max_price_per_minute: str = ""


class AwsAdapter(SideBySide):
    """Requests over one client of botocore, which is opened when it is needed."""

    service: ClassVar[str]

    def __init__(self, account: AwsAccount) -> None:
        super().__init__()
        self.account = account
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        await self._stack.aclose()

    async def submit(self, message: Outbound) -> Answer:
        try:
            return await self.ask(await self._opened(), message)
        except ClientError as error:
            return _refusal(error)
        except _BEFORE as error:
            raise NotReached from error
        except BotoCoreError as error:
            return Answer(Status.UNKNOWN_FAILURE, detail=type(error).__name__)

    async def _opened(self) -> Any:  # noqa: ANN401 - botocore makes its classes at run time
        async with self._opening:
            if self._client is None:
                account = self.account
                made = get_session().create_client(
                    self.service,
                    region_name=account.region,
                    endpoint_url=account.url or None,
                    aws_access_key_id=account.access_key_id,
                    aws_secret_access_key=account.secret_access_key,
                    config=AioConfig(
                        # Whether a message is tried again is the ledger's to decide.
                        retries={"total_max_attempts": 1},
                        connect_timeout=account.timeout_seconds,
                        read_timeout=account.timeout_seconds,
                        max_pool_connections=_AT_ONCE,
                    ),
                )
                self._client = await self._stack.enter_async_context(made)
            return self._client

    @abstractmethod
    async def ask(self, client: Any, message: Outbound) -> Answer:  # noqa: ANN401 - as above
        """Hand one message over. Raises what botocore raises."""


class SesAdapter(AwsAdapter):
    """Mails as they were made here, raw: SES adds its own signature."""

    service = "sesv2"

    async def ask(self, client: Any, message: Outbound) -> Answer:  # noqa: ANN401 - as above
        if not isinstance(message, OutboundEmail):
            raise TypeError("SES takes mails alone")
        asked: dict[str, Any] = {
            "Destination": {"ToAddresses": [message.to]},
            "Content": {"Raw": {"Data": message.body}},
            # Comes back with every event of the mail.
            "EmailTags": [{"Name": REFERENCE, "Value": message.message_id}],
        }
        if self.account.configuration_set:
            asked["ConfigurationSetName"] = self.account.configuration_set
        told = await client.send_email(**asked)
        return Answer(Status.SUCCESSFUL, (told["MessageId"],))


class AwsSmsAdapter(AwsAdapter):
    """Texts over AWS End User Messaging; a text is one request, whatever its parts."""

    service = "pinpoint-sms-voice-v2"

    def parts_of(self, message: Outbound) -> int:
        return count_parts(message.text).parts if isinstance(message, OutboundSms) else 1

    async def ask(self, client: Any, message: Outbound) -> Answer:  # noqa: ANN401 - as above
        if not isinstance(message, OutboundSms):
            raise TypeError("End User Messaging takes texts alone")
        asked: dict[str, Any] = {
            "DestinationPhoneNumber": message.to,
            "MessageBody": message.text,
            "Context": {REFERENCE: message.message_id},
        }
        if message.source:
            asked["OriginationIdentity"] = message.source
        if self.account.configuration_set:
            asked["ConfigurationSetName"] = self.account.configuration_set
        given = {"IN_ENTITY_ID": message.entity_id, "IN_TEMPLATE_ID": message.template_id}
        if parameters := {name: value for name, value in given.items() if value}:
            asked["DestinationCountryParameters"] = parameters
        told = await client.send_text_message(**asked)
        key = aws_key(self.account.access_key_id)
        return Answer(Status.SUCCESSFUL, (told["MessageId"],), account=key)


class AwsVoiceAdapter(AwsAdapter):
    """Calls over AWS End User Messaging, in which a text is spoken."""

    service = "pinpoint-sms-voice-v2"

    async def ask(self, client: Any, message: Outbound) -> Answer:  # noqa: ANN401 - as above
        if not isinstance(message, OutboundVoice):
            raise TypeError("calls are placed for spoken texts alone")
        asked: dict[str, Any] = {
            "DestinationPhoneNumber": message.to,
            "OriginationIdentity": message.source,
            "MessageBody": f"<speak>{message.text}</speak>" if message.is_ssml else message.text,
            "MessageBodyTextType": "SSML" if message.is_ssml else "TEXT",
            "Context": {REFERENCE: message.message_id},
        }
        if message.voice_id:
            asked["VoiceId"] = message.voice_id.rpartition(".")[2].upper()
        if self.account.configuration_set:
            asked["ConfigurationSetName"] = self.account.configuration_set
        if self.account.max_price_per_minute:
            asked["MaxPricePerMinute"] = self.account.max_price_per_minute
        told = await client.send_voice_message(**asked)
        key = aws_key(self.account.access_key_id)
        return Answer(Status.SUCCESSFUL, (told["MessageId"],), account=key)


def _refusal(error: ClientError) -> Answer:
    told: Any = error.response
    code = str(told.get("Error", {}).get("Code", ""))
    status = int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    detail = f"{status} {code} {told.get('Error', {}).get('Message', '')}".strip()[:_DETAIL_LENGTH]
    if code in _THROTTLED:
        return Answer(Status.THROTTLED, detail=detail)
    if status >= _SERVER_ERROR:
        return Answer(Status.TEMPORARY_FAILURE, detail=detail)
    rejected = code in _SENDER
    reason = Reason.PROVIDER_REJECTED_SENDER if rejected else Reason.PERMANENT_FAILURE
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=reason)
