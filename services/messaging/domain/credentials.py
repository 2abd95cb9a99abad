"""What keys and certificates in PEM form are; none of these functions fails on what is none."""

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)


def is_p256_key(pem: str) -> bool:
    """Whether it is a private key on P-256, as ES256 needs (RFC 7518, 3.4)."""
    key = _private_key(pem)
    return isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)


def is_rsa_key(pem: str) -> bool:
    """Whether it is a private RSA key, as RS256 needs."""
    return isinstance(_private_key(pem), RSAPrivateKey)


def is_private_key(pem: str) -> bool:
    """Whether it is a private key without a passphrase."""
    return _private_key(pem) is not None


def expiry_of(certificate: str) -> datetime | None:
    """When a certificate dies; None for what is no certificate."""
    parsed = _certificate(certificate)
    return None if parsed is None else parsed.not_valid_after_utc


def belong_together(certificate: str, private_key: str) -> bool:
    """Whether the certificate is that of the key."""
    parsed, key = _certificate(certificate), _private_key(private_key)
    if parsed is None or key is None:
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return parsed.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def _private_key(pem: str) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _certificate(pem: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
