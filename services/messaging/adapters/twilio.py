"""Texts and calls over Twilio's REST API (Twilio, "Message resource", "Call resource")."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote
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
_OPTED_OUT: Final = 21610
_TOO_MANY: Final = frozenset({20429, 14107})
REFERENCE: Final = "message_id"
"""The parameter in the URL of callbacks that carries our id of the message."""
_CALL_EVENTS: Final = ("initiated", "ringing", "answered", "completed")


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """Who we are to Twilio, and where it calls back; empty means that it does not."""

    account_sid: str
    auth_token: str = field(repr=False)
    callback_url: str = ""

    def callback(self, message_id: str) -> dict[str, Any]:
        """The parameters that have Twilio call back about a message; the URL carries our id."""
        if not self.callback_url:
            return {}
        return {"StatusCallback": f"{self.callback_url}?{REFERENCE}={quote(message_id, safe='')}"}


class TwilioAdapter(HttpAdapter):
    """Sends texts of one account; a text is one request, whatever its parts."""

    def __init__(self, service: PushService, account: TwilioAccount) -> None:
        super().__init__(service)
        self._path = f"/2010-04-01/Accounts/{account.account_sid}/Messages.json"
        self._auth = httpx.BasicAuth(account.account_sid, account.auth_token)
        self._account = account
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
        self._path = f"/2010-04-01/Accounts/{account.account_sid}/Calls.json"
        self._auth = httpx.BasicAuth(account.account_sid, account.auth_token)
        self._account = account

    async def post(self, message: Outbound) -> Answer:
        if not isinstance(message, OutboundVoice):
            raise TypeError("calls are placed for spoken texts alone")
        form = {"To": message.to, "From": message.source, "Twiml": twiml(message)}
        if told := self._account.callback(message.message_id):
            form |= told | {"StatusCallbackEvent": list(_CALL_EVENTS)}
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
