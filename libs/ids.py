"""Ids: 32 hexadecimal digits, random for what is new, derived where a repeat gives the same."""

import hashlib
import uuid


def new_id() -> str:
    """A new random id."""
    return uuid.uuid4().hex


def derived_id(*parts: str) -> str:
    """The id that belongs to these parts: the same parts always give the same id.

    Parts are length-prefixed before hashing, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()[:32]
