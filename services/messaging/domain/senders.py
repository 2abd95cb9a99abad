"""Whom a text or call may come from: an alphanumeric sender, a short code or a number."""

import re
from typing import Final

from services.messaging.domain.recipients import SMS, address_fault

_SENDER_ID: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 _-]{1,11}")  # spec 6.4
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")
SENDER_ID_RULE: Final = "must be up to 11 letters and digits with a letter among them"
ORIGINATION_RULE: Final = "must be a phone number in E.164 form or a short code"


def is_sender_id(sender_id: str) -> bool:
    """Whether it is an alphanumeric sender (spec 6.4)."""
    return bool(_SENDER_ID.fullmatch(sender_id))


def is_origination_number(number: str) -> bool:
    """Whether it is a phone number or a short code."""
    return bool(_SHORT_CODE.fullmatch(number)) or not address_fault(SMS, number)
