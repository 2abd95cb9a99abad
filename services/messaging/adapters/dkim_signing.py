"""DKIM signatures (RFC 6376) with dkimpy's canonical forms and a key that is parsed once."""

import base64
import hashlib
import time
from typing import Final

import dkim
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import UnparsableKeyError, parse_pem_private_key

_ALGORITHM: Final = b"rsa-sha256"
# Relaxed heads survive refolding by relays, simple bodies are the cheaper hash.
_POLICY: Final = (b"relaxed", b"simple")
# RFC 6376 5.4.1, those that our mails have.
_SIGNED: Final = frozenset(
    b"from reply-to to subject date message-id mime-version content-type "
    b"content-transfer-encoding list-unsubscribe list-unsubscribe-post".split()
)


class KeyUnusable(ValueError):
    """The private key is not an RSA key in PEM form."""


class DkimSigner:
    """Signs mails of one domain. `private_key` is PEM, PKCS#1 or PKCS#8."""

    def __init__(self, domain: str, selector: str, private_key: str) -> None:
        self._domain = domain.encode("idna")
        self._selector = selector.encode()
        self._policy = CanonicalizationPolicy.from_c_value(b"/".join(_POLICY))
        pem = private_key.replace("\r\n", "\n").encode()
        try:
            self._key = parse_pem_private_key(pem)
        except (UnparsableKeyError, ValueError) as error:
            raise KeyUnusable("the DKIM key is not an RSA key in PEM form") from error

    def sign(self, mail: bytes) -> bytes:
        """The mail with its signature before it."""
        message = dkim.DKIM(mail, signature_algorithm=_ALGORITHM)
        names = [name.lower() for name, _ in message.headers]
        include = [name for name in names if name in _SIGNED]
        # A second From signed as absent: nobody can add one (RFC 6376 8.15).
        include.append(b"from")
        message.hasher = dkim.HASH_ALGORITHMS[_ALGORITHM]
        body = hashlib.sha256(self._policy.canonicalize_body(message.body)).digest()
        fields = [
            (b"v", b"1"),
            (b"a", _ALGORITHM),
            (b"c", self._policy.to_c_value()),
            (b"d", self._domain),
            (b"q", b"dns/txt"),
            (b"s", self._selector),
            (b"t", str(int(time.time())).encode()),
            (b"h", b" : ".join(include)),
            (b"bh", base64.b64encode(body)),
            (b"b", b"0" * 60),
        ]
        header: bytes = message.gen_header(
            fields, tuple(include), self._policy, b"DKIM-Signature", self._key
        )
        return b"DKIM-Signature: " + header + mail
