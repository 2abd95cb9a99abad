"""One-time passwords: what is asked for, what is said, and how a code is kept (spec 6.9)."""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.errors import Violations
from services.messaging.domain.recipients import SMS, address_fault
from services.messaging.domain.senders import is_origination_number, is_sender_id

CODE: Final = "code"
"""The variable of the text that the code takes the place of."""
USUAL_LENGTH: Final = 6
USUAL_MINUTES: Final = 15
USUAL_ATTEMPTS: Final = 3
USUAL_LANGUAGE: Final = "en-US"
_LONGEST_BRAND: Final = 20
_LONGEST_REFERENCE: Final = 48
_SALT_BYTES: Final = 16
_ENGLISH: Final = "This is your One Time Password: {code} from {brand}"
_SPANISH: Final = "Tu contraseña de un solo uso es {code}. {brand}"
_FRENCH: Final = "Votre mot de passe à usage unique pour {brand} : {code}"
TEXTS: Final[Mapping[str, str]] = {
    "de-DE": "Ihr Einmalpasswort von {brand} lautet: {code}",
    "en-GB": _ENGLISH,
    "en-US": _ENGLISH,
    "es-419": _SPANISH,
    "es-ES": _SPANISH,
    "fr-CA": _FRENCH,
    "fr-FR": _FRENCH,
    "it-IT": "La tua password monouso per {brand} è: {code}",
    "ja-JP": "{brand}のワンタイムパスワードは {code} です",
    "ko-KR": "{brand} 일회용 비밀번호는 {code}입니다",
    "pt-BR": "Sua senha de uso único para {brand} é: {code}",
    "zh-CN": "您的 {brand} 一次性密码是 {code}",
    "zh-TW": "您的 {brand} 一次性密碼是 {code}",
}
"""The text by language."""


@dataclass(frozen=True, slots=True)
class OtpOrder:
    """What a caller asks for; numbers are None where the usual ones are to be taken."""

    channel: str
    brand_name: str
    destination: str
    origination: str
    reference_id: str
    code_length: int | None = None
    validity_minutes: int | None = None
    attempts: int | None = None
    language: str = ""
    entity_id: str = ""
    template_id: str = ""

    @property
    def validity(self) -> timedelta:
        return timedelta(minutes=_or(self.validity_minutes, USUAL_MINUTES))

    @property
    def most_attempts(self) -> int:
        return _or(self.attempts, USUAL_ATTEMPTS)

    def text(self) -> str:
        """The text as a template in which only the code is missing."""
        words = TEXTS[self.language or USUAL_LANGUAGE]
        return words.format(code=f"{{{{{CODE}}}}}", brand=self.brand_name)

    def new_code(self) -> str:
        """Digits from the system's source of randomness; it may begin with zeros."""
        length = _or(self.code_length, USUAL_LENGTH)
        return f"{secrets.randbelow(10**length):0{length}d}"


def check(order: OtpOrder) -> Violations:
    """Every field of an order that is wrong, by its name in `SendOTPMessageRequest`."""
    found = Violations()
    found.check(order.channel == SMS, "channel", "must be SMS")
    _check_brand(found, order.brand_name)
    check_pair(found, order.destination, order.reference_id)
    sender = order.origination
    fine = is_origination_number(sender) or is_sender_id(sender)
    found.check(fine, "origination_identity", "must be a number, a short code or a sender id")
    _check_number(found, "code_length", order.code_length, (5, 8))
    _check_number(found, "validity_period", order.validity_minutes, (5, 60))
    _check_number(found, "allowed_attempts", order.attempts, (1, 5))
    fine = not order.language or order.language in TEXTS
    found.check(fine, "language", f"must be one of {', '.join(TEXTS)}")
    return found


def _check_brand(found: Violations, brand: str) -> None:
    fine = brand.strip() and len(brand) <= _LONGEST_BRAND
    found.check(fine, "brand_name", f"must be 1 to {_LONGEST_BRAND} characters")
    # It becomes part of a template: what is no plain text there would cost the user the code.
    fine = "{{" not in brand and all(unicodedata.category(sign) != "Cc" for sign in brand)
    found.check(fine, "brand_name", "may hold no {{ and no control characters")


def check_pair(found: Violations, destination: str, reference_id: str) -> None:
    """Note what is wrong with whom a code is for and what it is for."""
    fault = address_fault(SMS, destination)
    found.check(not fault, "destination_identity", fault)
    fine = 0 < len(reference_id) <= _LONGEST_REFERENCE
    found.check(fine, "reference_id", f"must be 1 to {_LONGEST_REFERENCE} characters")


@dataclass(frozen=True, slots=True)
class KeptOtp:
    """A code as it is kept: salted, and hashed with a key that the database does not have.

    Six digits are guessed at once by whoever holds their hash, so a salt alone would not do.
    """

    key: str
    app_id: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    attempts_left: int
    expire_time: datetime


class OtpHasher:
    """Hashes codes with the newest key of the installation and knows them by any of its keys.

    `master_keys` is as for `libs.vault.Vault`: one or more, separated by commas, the newest first.
    A new one in front therefore leaves the codes that are on their way valid.
    """

    def __init__(self, master_keys: str) -> None:
        self._keys = [_derived(one.strip()) for one in master_keys.split(",") if one.strip()]
        if not self._keys:
            raise ValueError("there is no master key")

    def keep(self, app_id: str, order: OtpOrder, code: str, now: datetime) -> KeptOtp:
        """The code as it is kept."""
        salt = secrets.token_bytes(_SALT_BYTES)
        key = otp_key(app_id, order.destination, order.reference_id)
        digest, until = _digest(self._keys[0], salt, code), now + order.validity
        return KeptOtp(key, app_id, salt, digest, order.most_attempts, until)

    def matches(self, kept: KeptOtp, code: str) -> bool:
        """Whether it is the code; takes as long for a wrong one."""
        digests = [_digest(key, kept.salt, code) for key in self._keys]
        # Summed: `any` would end at the key that fits.
        return sum(hmac.compare_digest(kept.digest, one) for one in digests) > 0


def _derived(master_key: str) -> bytes:
    derive = HKDF(hashes.SHA256(), 32, salt=None, info=b"touchpoint/otp")
    return derive.derive(master_key.encode())


def _digest(key: bytes, salt: bytes, code: str) -> bytes:
    return hmac.digest(key, salt + code.encode(errors="replace"), hashlib.sha256)


def otp_key(app_id: str, destination: str, reference_id: str) -> str:
    """The id of what is kept for a destination and reference; tells neither."""
    joined = "\0".join((app_id, destination, reference_id))
    return hashlib.sha256(joined.encode(errors="replace")).hexdigest()


def _or(given: int | None, usual: int) -> int:
    return usual if given is None else given


def _check_number(
    found: Violations, name: str, number: int | None, bounds: tuple[int, int]
) -> None:
    least, most = bounds
    fine = number is None or least <= number <= most
    found.check(fine, name, f"must be {least} to {most}")
