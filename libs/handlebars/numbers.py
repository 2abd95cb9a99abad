"""Arithmetic of templates (specification 5.3), decimal so that prices add up."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

from libs.handlebars.errors import RenderError
from libs.handlebars.values import scalar, text

# Own context: the caller's process-wide one must neither change results nor be changed.
_CONTEXT = Context(prec=28, Emax=400, Emin=-400)
_NUMERIC = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})")
# Up to here a double holds every integer.
_EXACT = 2**53


def as_number(value: object) -> Decimal | None:
    """The number a value is or spells in decimal digits, else None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    spelled = text(value).strip()
    return Decimal(spelled) if _NUMERIC.fullmatch(spelled) else None


def _numbers(name: str, values: tuple[object, ...]) -> list[Decimal] | None:
    """The operands, None if one is missing; raises RenderError for one that is no number."""
    operands = []
    for place, value in enumerate(map(scalar, values), 1):
        if value is None or value == "":
            return None
        number = as_number(value)
        if number is None:
            raise RenderError(f"{name}: argument {place} is not a number")
        operands.append(number)
    return operands


def _plain(number: Decimal) -> int | float:
    if number == number.to_integral_value(context=_CONTEXT) and abs(number) <= _EXACT:
        return int(number)
    return float(number)


def _folded(
    name: str, values: tuple[object, ...], operation: Callable[[Decimal, Decimal], Decimal]
) -> int | float | None:
    operands = _numbers(name, values)
    if not operands:
        return None
    result = operands[0]
    try:
        for operand in operands[1:]:
            result = operation(result, operand)
        return _plain(_CONTEXT.plus(result))
    except (ArithmeticError, InvalidOperation) as error:
        raise RenderError(f"{name}: the result is not a number") from error


def add(*values: object) -> int | float | None:
    return _folded("add", values, _CONTEXT.add)


def multiply(*values: object) -> int | float | None:
    return _folded("multiply", values, _CONTEXT.multiply)


def subtract(left: object = None, right: object = None) -> int | float | None:
    return _folded("subtract", (left, right), _CONTEXT.subtract)


def divide(left: object = None, right: object = None) -> int | float | None:
    """The quotient; raises RenderError on division by zero."""
    return _folded("divide", (left, right), _CONTEXT.divide)


def modulo(left: object = None, right: object = None) -> int | float | None:
    """The remainder, with the sign of the dividend as in Java and JavaScript."""
    return _folded("modulo", (left, right), _CONTEXT.remainder)


def ceiling(value: object = None) -> int | float | None:
    return _rounded("ceiling", value, Decimal(0), ROUND_CEILING)


def floor(value: object = None) -> int | float | None:
    return _rounded("floor", value, Decimal(0), ROUND_FLOOR)


def round_half_up(value: object = None) -> int | float | None:
    """The nearest integer, halves upwards: 2.5 gives 3 and -2.5 gives -2, as Math.round."""
    return _rounded("round", value, Decimal("0.5"), ROUND_FLOOR)


def _rounded(name: str, value: object, shift: Decimal, mode: str) -> int | float | None:
    operands = _numbers(name, (value,))
    if not operands:
        return None
    shifted = _CONTEXT.add(operands[0], shift)
    return _plain(shifted.to_integral_value(rounding=mode))
