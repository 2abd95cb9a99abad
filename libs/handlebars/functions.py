"""The table of functions a template may call: specification 5.3, each with its argument names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from libs.handlebars import dates, digests, logic, numbers, strings


@dataclass(frozen=True, slots=True)
class Function:
    """A callable and how arguments reach it.

    `parameters` are its positional arguments in order; `named` maps further `name=` spellings of a
    template to parameters. With `variadic` all positional arguments go to `*args`. With `test` it
    answers yes or no and may open a block. With `stateful` it gets the render's clock and ids.
    """

    call: Callable[..., object]
    parameters: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    variadic: bool = False
    test: bool = False
    stateful: bool = False


def _test(call: Callable[..., bool]) -> Function:
    return Function(call, variadic=True, test=True)


_PADDED = ("value", "size", "pad")
_DATES = {"inputFormat": "input_format", "outputFormat": "output_format", "format": "output_format"}
_DATES_NOW = {"format": "output_format", "outputFormat": "output_format"}

FUNCTIONS: Final[Mapping[str, Function]] = {
    "and": _test(logic.all_true),
    "eq": _test(logic.equal),
    "gt": _test(logic.greater),
    "gte": _test(logic.greater_or_equal),
    "lt": _test(logic.less),
    "lte": _test(logic.less_or_equal),
    "neq": _test(logic.not_equal),
    "not": _test(logic.none_true),
    "or": _test(logic.any_true),
    "abbreviate": Function(strings.abbreviate, ("value", "size"), {"width": "size"}),
    "capitalize": Function(strings.capitalize, ("value", "fully")),
    "capitalizeFirst": Function(strings.capitalize_first, ("value",)),
    "center": Function(strings.center, _PADDED),
    "cut": Function(strings.cut, ("value", "target")),
    "inflect": Function(
        strings.inflect,
        ("count", "singular", "plural", "include_count"),
        {"includeCount": "include_count"},
    ),
    "join": Function(
        strings.join,
        named={"sep": "sep", "separator": "sep", "prefix": "prefix", "suffix": "suffix"},
        variadic=True,
    ),
    "ljust": Function(strings.left_justified, _PADDED),
    "lower": Function(strings.lower, ("value",)),
    "ordinalize": Function(strings.ordinalize, ("value",)),
    "replace": Function(strings.replace, ("value", "target", "replacement")),
    "rjust": Function(strings.right_justified, _PADDED),
    "slugify": Function(strings.slugify, ("value",)),
    "stripTags": Function(strings.strip_tags, ("value",)),
    "substring": Function(strings.substring, ("value", "start", "end")),
    "upper": Function(strings.upper, ("value",)),
    "yesno": Function(strings.yesno, ("value", "yes", "no", "maybe")),
    "dateFormat": Function(dates.date_format, ("value", "first", "second", "tz"), _DATES),
    "now": Function(dates.now_text, ("output_format", "tz"), _DATES_NOW, stateful=True),
    "add": Function(numbers.add, variadic=True),
    "ceiling": Function(numbers.ceiling, ("value",)),
    "divide": Function(numbers.divide, ("left", "right")),
    "floor": Function(numbers.floor, ("value",)),
    "modulo": Function(numbers.modulo, ("left", "right")),
    "multiply": Function(numbers.multiply, variadic=True),
    "round": Function(numbers.round_half_up, ("value",)),
    "subtract": Function(numbers.subtract, ("left", "right")),
    "decode64": Function(digests.decode64, ("value",)),
    "encode64": Function(digests.encode64, ("value",)),
    "md5": Function(digests.md5, ("value",)),
    "sha256": Function(digests.sha256, ("value",)),
    "sha512": Function(digests.sha512, ("value",)),
    "uuid": Function(digests.uuid_text, stateful=True),
}
