"""Encodings, digests and ids of templates (specification 5.3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from libs.handlebars.errors import RenderError
from libs.handlebars.values import scalar, text

if TYPE_CHECKING:
    from libs.handlebars.runtime import State


def _bytes(value: object) -> bytes:
    return text(scalar(value)).encode("utf-8", "replace")


def encode64(value: object = None) -> str:
    return base64.b64encode(_bytes(value)).decode("ascii")


def decode64(value: object = None) -> str:
    """The UTF-8 text behind Base64; raises RenderError when it is neither."""
    try:
        return base64.b64decode(_bytes(value), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RenderError("decode64: the argument is not Base64 of text") from error


def md5(value: object = None) -> str:
    return hashlib.md5(_bytes(value), usedforsecurity=False).hexdigest()


def sha256(value: object = None) -> str:
    return hashlib.sha256(_bytes(value)).hexdigest()


def sha512(value: object = None) -> str:
    return hashlib.sha512(_bytes(value)).hexdigest()


def uuid_text(state: State) -> str:
    """A fresh id from the source the render was given."""
    return str(state.new_uuid())
