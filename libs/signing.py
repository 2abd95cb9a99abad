"""Signed tokens for URLs and page cursors; the key alone checks them, without a database."""

import base64
import hashlib
import hmac

_MAC_BYTES = 16  # 128 bits: as strong as the rest of the URL is guessable


class BadSignature(ValueError):
    """The token is damaged, or was signed with another key or for another purpose."""


class Signer:
    """Signs payloads for one purpose with HMAC-SHA-256, truncated to 128 bits (RFC 2104, 5)."""

    def __init__(self, key: bytes, purpose: str) -> None:
        if len(key) < _MAC_BYTES:
            raise ValueError("a signing key has at least 16 bytes")
        self._key = hmac.digest(key, purpose.encode(), hashlib.sha256)

    def sign(self, payload: bytes) -> str:
        """The payload with its signature, in URL-safe base64 without padding."""
        mac = hmac.digest(self._key, payload, hashlib.sha256)[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac + payload).rstrip(b"=").decode()

    def verify(self, token: str) -> bytes:
        """The payload of a token. Raises BadSignature."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except ValueError as error:
            raise BadSignature(token[:8]) from error
        mac, payload = data[:_MAC_BYTES], data[_MAC_BYTES:]
        expected = hmac.digest(self._key, payload, hashlib.sha256)[:_MAC_BYTES]
        if not hmac.compare_digest(mac, expected):
            raise BadSignature(token[:8])
        return payload
