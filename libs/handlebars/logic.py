"""Comparisons and connectives (specification 5.3); each answers yes or no."""

from __future__ import annotations

from collections.abc import Mapping

from libs.handlebars.numbers import as_number
from libs.handlebars.values import scalar, text, truthy

_CONTAINERS = (list, tuple, Mapping)


def all_true(*values: object) -> bool:
    return all(map(truthy, values))


def any_true(*values: object) -> bool:
    return any(map(truthy, values))


def none_true(*values: object) -> bool:
    return not any_true(*values)


def equal(left: object = None, right: object = None, *_: object) -> bool:
    """Equality of two values; a number equals the text that spells it, as attributes are text."""
    left, right = scalar(left), scalar(right)
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, _CONTAINERS) or isinstance(right, _CONTAINERS):
        return left is right
    numeric = as_number(left), as_number(right)
    if None not in numeric:
        return numeric[0] == numeric[1]
    return text(left) == text(right)


def not_equal(left: object = None, right: object = None, *_: object) -> bool:
    return not equal(left, right)


def greater(left: object = None, right: object = None, *_: object) -> bool:
    return _order(left, right) == 1


def less(left: object = None, right: object = None, *_: object) -> bool:
    return _order(left, right) == -1


def greater_or_equal(left: object = None, right: object = None, *_: object) -> bool:
    return _order(left, right) in (0, 1)


def less_or_equal(left: object = None, right: object = None, *_: object) -> bool:
    return _order(left, right) in (0, -1)


def _order(left: object, right: object) -> int | None:
    """-1, 0 or 1: by number where both are numeric, else by text; None with a missing value."""
    left, right = scalar(left), scalar(right)
    if left is None or right is None:
        return None
    a, b = as_number(left), as_number(right)
    if a is not None and b is not None:
        return (a > b) - (a < b)
    first, second = text(left), text(right)
    return (first > second) - (first < second)
