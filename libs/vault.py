"""Encryption of secrets at rest: AES-256-GCM with the id of the key beside the ciphertext."""

import base64
import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32


class SecretUnreadable(ValueError):
    """The secret was encrypted with a key this process does not have, or is damaged."""


class Vault:
    """Encrypts with the first key and decrypts with any of them, so that keys can be rotated.

    `master_keys` is one or more base64 keys of 32 bytes, separated by commas, the newest first.
    """

    def __init__(self, master_keys: str) -> None:
        keys = [base64.b64decode(part.strip()) for part in master_keys.split(",") if part.strip()]
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise ValueError("MASTER_KEY holds base64 keys of 32 bytes")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    def encrypt(self, secret: str, context: str) -> str:
        """Ciphertext of a secret. `context` (where it is kept) must be given again to read it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret.encode(), context.encode())
        return f"{self._newest}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, ciphertext: str, context: str) -> str:
        """The secret again. Raises SecretUnreadable."""
        key_id, _, data = ciphertext.partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SecretUnreadable(f"no key {key_id}")
        raw = base64.b64decode(data)
        try:
            opened = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except InvalidTag as error:
            raise SecretUnreadable("damaged, or kept somewhere else") from error
        return opened.decode()


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"touchpoint key id" + key).hexdigest()[:8]
