"""Templates in JSON: each text of a document is one, so that what is rendered stays JSON.

Rendering the document as one text would let a value with a quotation mark break it.
"""

from collections.abc import Iterator
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


def texts_of(document: Json) -> Iterator[str]:
    """The texts of a document in its order; names of members are no texts."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from texts_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from texts_of(value)


def with_texts(document: Json, texts: Iterator[str]) -> Json:
    """The same document with other texts, taken in the order of `texts_of`."""
    if isinstance(document, str):
        return next(texts)
    if isinstance(document, dict):
        return {name: with_texts(value, texts) for name, value in document.items()}
    if isinstance(document, list):
        return [with_texts(value, texts) for value in document]
    return document
