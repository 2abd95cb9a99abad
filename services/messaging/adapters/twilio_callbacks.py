"""What Twilio calls back with, signed with the account's token (Twilio, "Webhooks security").

Statuses of texts (Twilio, "Track outbound message status"), progress of calls (Twilio, "Call
resource", `StatusCallbackEvent`), and texts of people (Twilio, "Request to your webhook URL").
"""

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from libs.errors import SignatureInvalid
from services.messaging.adapters.twilio import REFERENCE
from services.messaging.domain.accounts import twilio_key
from services.messaging.domain.callbacks import Callback, Channel, Report
from services.messaging.domain.channels import SmsChannel, Twilio
from services.messaging.domain.ledger import Reason, Receipt, State
from services.messaging.domain.outbound import InboundSms
from services.messaging.domain.recipients import SMS, address_fault
from services.messaging.domain.voice_channel import VoiceChannel

_MOST_FIELDS: Final = 200
_TEXTS: Final[Mapping[str, State]] = {
    "queued": State.SENT,
    "sending": State.SENT,
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
}
_CALLS: Final[Mapping[str, tuple[State, Reason, str]]] = {
    "initiated": (State.SENT, Reason.NONE, "INITIATED"),
    "ringing": (State.SENT, Reason.NONE, "RINGING"),
    "in-progress": (State.SENT, Reason.NONE, "ANSWERED"),
    "completed": (State.DELIVERED, Reason.NONE, ""),
    "busy": (State.FAILED, Reason.BUSY, ""),
    "no-answer": (State.FAILED, Reason.NO_ANSWER, ""),
    "failed": (State.FAILED, Reason.PERMANENT_FAILURE, ""),
    "canceled": (State.FAILED, Reason.PERMANENT_FAILURE, ""),
}
_REASONS: Final[Mapping[str, Reason]] = {
    "21610": Reason.OPT_OUT,
    "21211": Reason.INVALID_ADDRESS,
    "21614": Reason.INVALID_ADDRESS,
    "30001": Reason.RETRIES_EXHAUSTED,  # its queue overflowed
    "30002": Reason.PROVIDER_REJECTED_SENDER,  # the account is suspended
    "30003": Reason.UNREACHABLE,
    "30004": Reason.CARRIER_BLOCKED,
    "30005": Reason.INVALID_ADDRESS,  # unknown number
    "30006": Reason.INVALID_ADDRESS,  # a landline
    "30007": Reason.CARRIER_BLOCKED,  # filtered
    "30008": Reason.UNREACHABLE,  # unknown error of the carrier
    "30036": Reason.EXPIRED,  # its validity period
}


async def twilio_reports(channel: Channel, callback: Callback) -> list[Report]:
    """What a callback says. Raises SignatureInvalid."""
    try:
        given = parse_qsl(
            callback.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise SignatureInvalid from None
    form = dict(given)
    account = _account(channel, form.get("AccountSid", ""))
    signed = callback.headers.get("x-twilio-signature", "")
    if account is None or not _is_signed(account.auth_token, callback.url, given, signed):
        raise SignatureInvalid
    if isinstance(channel, VoiceChannel):
        return _of_call(_reference(callback.url), form)
    if form.get("SmsStatus") == "received":
        return _inbound(account, form)
    return _of_text(account, _reference(callback.url), form)


def signature(auth_token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """The signature of a form posted to a URL: HMAC-SHA1 over the URL and the sorted fields."""
    told = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.digest(auth_token.encode(), told.encode(), "sha1")).decode()


def _is_signed(auth_token: str, url: str, form: Iterable[tuple[str, str]], given: str) -> bool:
    expected = signature(auth_token, url, form)
    return bool(auth_token) and hmac.compare_digest(expected.encode(), given.encode())


def _account(channel: Channel, account_sid: str) -> Twilio | None:
    """The channel's account of that name, with its token."""
    if isinstance(channel, VoiceChannel):
        found = [Twilio(channel.account_sid, channel.auth_token)]
    elif isinstance(channel, SmsChannel):
        ways = (channel.twilio, *channel.fallbacks)
        found = [one for one in ways if isinstance(one, Twilio)]
    else:
        found = []
    return next((one for one in found if one.account_sid == account_sid), None)


def _reference(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query)).get(REFERENCE, "")


def _of_call(message_id: str, form: Mapping[str, str]) -> list[Report]:
    name = form.get("CallStatus", "")
    found = _CALLS.get(name)
    if found is None or not message_id:
        return []
    state, reason, stage = found
    detail = f"{name} {form.get('SipResponseCode', '')}".strip() if reason else ""
    return [Receipt(state, reason, detail, message_id, form.get("CallSid", ""), stage=stage)]


def _inbound(account: Twilio, form: Mapping[str, str]) -> list[Report]:
    """A text of a person; what comes over other networks than the telephone is not heard."""
    sender, sid = form.get("From", ""), form.get("MessageSid", "")
    if not sid or address_fault(SMS, sender):
        return []
    key = twilio_key(account.account_sid)
    return [InboundSms(sid, sender, form.get("To", ""), form.get("Body", ""), key)]


def _of_text(account: Twilio, message_id: str, form: Mapping[str, str]) -> list[Report]:
    state = _TEXTS.get(form.get("MessageStatus", ""))
    if state is None or not message_id:
        return []
    code = form.get("ErrorCode", "")
    reason, detail = Reason.NONE, ""
    if state is State.FAILED:
        reason = _REASONS.get(code, Reason.UNREACHABLE)
        detail = f"{form['MessageStatus']} {code}".strip()
    key, sid = twilio_key(account.account_sid), form.get("MessageSid", "")
    return [Receipt(state, reason, detail, message_id, sid, key)]
