"""Texts and calls over Twilio's REST API (Twilio, "Message resource", "Call resource")."""

from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import httpx

from libs.smpp.gsm import count_parts
from services.messaging.adapters.push_client import HttpAdapter, PushService, json_of, told
from services.messaging.domain.accounts import twilio_key
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import Outbound, OutboundSms, OutboundVoice
from services.messaging.domain.outcomes import Answer, Status

_REASONS: Final = {
    20003: Reason.PROVIDER_REJECTED_SENDER,  # wrong credentials
    21211: Reason.INVALID_ADDRESS,
    21212: Reason.PROVIDER_REJECTED_SENDER,
    21408: Reason.CARRIER_BLOCKED,  # the country is not switched on
    21606: Reason.PROVIDER_REJECTED_SENDER,
    21612: Reason.UNREACHABLE,
    21614: Reason.INVALID_ADDRESS,  # no mobile number
    21617: Reason.CONTENT_TOO_LONG,
    21659: Reason.PROVIDER_REJECTED_SENDER,
}
REFERENCE: Final = "message_id"
"""The parameter of the callback's URL that carries our id of the message."""
_OPTED_OUT: Final = 21610
_TOO_MANY: Final = frozenset({20429, 14107})


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """Who we are to Twilio, and the public URL where it tells what became of a message.

    An empty URL hears nothing.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    callback_url: str = ""

    def callback(self, message_id: str) -> dict[str, str]:
        """The fields that ask for the outcome of a message."""
        if not self.callback_url:
            return {}
        return {"StatusCallback": f"{self.callback_url}?{REFERENCE}={message_id}"}


class TwilioAdapter(HttpAdapter):
    """Sends texts of one account; a text is one request, whatever its parts."""

    def __init__(self, service: PushService, account: TwilioAccount) -> None:
        super().__init__(service)
        self._account = account
        self._path = f"/2010-04-01/Accounts/{account.account_sid}/Messages.json"
        self._auth = httpx.BasicAuth(account.account_sid, account.auth_token)
        self._key = twilio_key(account.account_sid)

    def parts_of(self, message: Outbound) -> int:
        return count_parts(message.text).parts if isinstance(message, OutboundSms) else 1

    async def post(self, message: Outbound) -> Answer:
        if not isinstance(message, OutboundSms):
            raise TypeError("Twilio takes texts alone")
        form = {"To": message.to, "From": message.source, "Body": message.text}
        form |= self._account.callback(message.message_id)
        answer = await self.client.post(self._path, data=form, auth=self._auth)
        if answer.status_code == httpx.codes.CREATED:
            sid = str(json_of(answer).get("sid", ""))
            # One id for the whole text: Twilio counts parts and does not name them.
            return Answer(Status.SUCCESSFUL, (sid,), account=self._key)
        return _refusal(answer)


class TwilioCalls(HttpAdapter):
    """Places calls of one account, in which a text is spoken (TwiML, `<Say>`)."""

    def __init__(self, service: PushService, account: TwilioAccount) -> None:
        super().__init__(service)
        self._account = account
        self._path = f"/2010-04-01/Accounts/{account.account_sid}/Calls.json"
        self._auth = httpx.BasicAuth(account.account_sid, account.auth_token)

    async def post(self, message: Outbound) -> Answer:
        if not isinstance(message, OutboundVoice):
            raise TypeError("calls are placed for spoken texts alone")
        form = {"To": message.to, "From": message.source, "Twiml": twiml(message)}
        # Without events of its own choice Twilio tells the end alone, which is all that counts.
        form |= self._account.callback(message.message_id)
        answer = await self.client.post(self._path, data=form, auth=self._auth)
        if answer.status_code == httpx.codes.CREATED:
            return Answer(Status.SUCCESSFUL, (str(json_of(answer).get("sid", "")),))
        return _refusal(answer)


def twiml(message: OutboundVoice) -> str:
    """The document that speaks a text; voices are those of Amazon Polly, as Pinpoint's were."""
    text = message.text if message.is_ssml else escape(message.text)
    language = f" language={quoteattr(message.language_code)}" if message.language_code else ""
    named = message.voice_id if "." in message.voice_id else f"Polly.{message.voice_id}"
    voice = f" voice={quoteattr(named)}" if message.voice_id else ""
    return f"<Response><Say{language}{voice}>{text}</Say></Response>"


def _refusal(answer: httpx.Response) -> Answer:
    read = json_of(answer)
    given = read.get("code")
    code = given if isinstance(given, int) else 0
    detail = told(answer, str(code or ""), str(read.get("message", "")))
    if code == _OPTED_OUT:
        return Answer(Status.OPT_OUT, detail=detail)
    if code in _TOO_MANY or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Answer(Status.THROTTLED, detail=detail)
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Answer(Status.TEMPORARY_FAILURE, detail=detail)
    usual = Reason.PERMANENT_FAILURE
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        usual = Reason.PROVIDER_REJECTED_SENDER
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=_REASONS.get(code, usual))
