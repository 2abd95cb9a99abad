"""Signs as Amazon SNS does, with a key that is made at start."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_LIFETIME: Final = timedelta(days=365)
_NAMES: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class SnsSigner:
    """A key and the certificate for it, which is in PEM."""

    def __init__(self) -> None:
        self._key = generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + _LIFETIME)
            .sign(self._key, SHA256())
        )
        self.certificate = made.public_bytes(Encoding.PEM)

    def signature(self, told: Mapping[str, str]) -> str:
        """Signature version 2 over a message of SNS, in Base64."""
        text = "".join(f"{name}\n{told[name]}\n" for name in _NAMES if name in told)
        return base64.b64encode(self._key.sign(text.encode(), PKCS1v15(), SHA256())).decode()
