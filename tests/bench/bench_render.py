"""Renders a second: this engine against the same template written by hand in Python.

Run as `python -m tests.bench.bench_render [seconds per figure]`.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from libs.handlebars import FlatLayer, Layers, TreeLayer, compile_template

SOURCE = (
    "Hi {{User.UserAttributes.FirstName}}, your code {{Attributes.Code}} is valid until "
    "{{Attributes.Until}} in {{Location.City}}."
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TREES: list[dict[str, Any]] = [
    {
        "User": {"UserAttributes": {"FirstName": f"Name{i}"}},
        "Attributes": {"Code": f"C{i:06d}", "Until": "Friday"},
        "Location": {"City": "Berlin"},
    }
    for i in range(1000)
]
LISTS = [
    {
        "User": {"UserAttributes": {"FirstName": [tree["User"]["UserAttributes"]["FirstName"]]}},
        "Attributes": {key: [value] for key, value in tree["Attributes"].items()},
        "Location": tree["Location"],
    }
    for tree in TREES
]
DOTTED: list[dict[tuple[str, ...], Any]] = [
    {
        ("User", "UserAttributes", "FirstName"): tree["User"]["UserAttributes"]["FirstName"],
        ("Attributes", "Code"): tree["Attributes"]["Code"],
        ("Attributes", "Until"): tree["Attributes"]["Until"],
        ("Location", "City"): tree["Location"]["City"],
    }
    for tree in TREES
]


def handwritten_text() -> Callable[[dict[tuple[str, ...], Any]], str]:
    """The template as closures over the pieces, as one would compile it by hand."""
    first, code = ("User", "UserAttributes", "FirstName"), ("Attributes", "Code")
    until, city = ("Attributes", "Until"), ("Location", "City")

    def render(values: dict[tuple[str, ...], Any]) -> str:
        get = values.get
        return (
            f"Hi {get(first, '')}, your code {get(code, '')} is valid until "
            f"{get(until, '')} in {get(city, '')}."
        )

    return render


def handwritten_html() -> Callable[[dict[tuple[str, ...], Any]], str]:
    first, code = ("User", "UserAttributes", "FirstName"), ("Attributes", "Code")
    until, city = ("Attributes", "Until"), ("Location", "City")
    escape = html.escape

    def render(values: dict[tuple[str, ...], Any]) -> str:
        get = values.get
        return (
            f"Hi {escape(get(first, ''))}, your code {escape(get(code, ''))} is valid until "
            f"{escape(get(until, ''))} in {escape(get(city, ''))}."
        )

    return render


def handwritten_closures() -> Callable[[dict[str, Any]], str]:
    """Parts that are functions of the nested tree, joined: the usual shape of such compilers."""

    def constant(text: str) -> Callable[[dict[str, Any]], str]:
        return lambda _: text

    parts = (
        constant("Hi "),
        lambda tree: tree["User"]["UserAttributes"]["FirstName"],
        constant(", your code "),
        lambda tree: tree["Attributes"]["Code"],
        constant(" is valid until "),
        lambda tree: tree["Attributes"]["Until"],
        constant(" in "),
        lambda tree: tree["Location"]["City"],
        constant("."),
    )
    return lambda tree: "".join([part(tree) for part in parts])


Loop = Callable[[], list[str]]


def loops() -> dict[str, Loop]:
    """Each contender as one pass over its thousand recipients, called as a sender would."""
    text = compile_template(SOURCE, escape=False).render
    page = compile_template(SOURCE, escape=True).render
    layers = Layers(
        [FlatLayer("address"), FlatLayer("message"), TreeLayer("endpoint"), FlatLayer("defaults")],
        [("User", "UserAttributes"), ("Attributes",)],
    )
    over, defaults = layers.over, {"Attributes.Code": "none"}
    by_hand, by_hand_html, closures = handwritten_text(), handwritten_html(), handwritten_closures()
    return {
        "hand-written f-string": lambda: [by_hand(values) for values in DOTTED],
        "hand-written f-string, html.escape": lambda: [by_hand_html(values) for values in DOTTED],
        "hand-written closures": lambda: [closures(tree) for tree in TREES],
        "ours, text": lambda: [text(values.get, now=NOW) for values in DOTTED],
        "ours, escaped": lambda: [page(values.get, now=NOW) for values in DOTTED],
        "ours over four layers, scalars": lambda: [
            text(over(None, None, tree, defaults), now=NOW) for tree in TREES
        ],
        "ours over four layers, lists": lambda: [
            text(over(None, None, tree, defaults), now=NOW) for tree in LISTS
        ],
    }


def rates(contenders: dict[str, Loop], seconds: float) -> dict[str, float]:
    """Renders a second, the best of many rounds taken in turn: other work only slows one down."""
    best = dict.fromkeys(contenders, 0.0)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, loop in contenders.items():
            started = time.perf_counter()
            count = len(loop())
            best[name] = max(best[name], count / (time.perf_counter() - started))
    return best


RATIOS = (
    ("ours, text", "hand-written f-string"),
    ("ours, text", "hand-written closures"),
    ("ours, escaped", "hand-written f-string, html.escape"),
    ("ours over four layers, lists", "hand-written closures"),
)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    contenders = loops()
    outputs = {tuple(loop()) for loop in contenders.values()}
    if len(outputs) != 1:
        raise SystemExit("the contenders do not render the same text")
    figures = rates(contenders, seconds)
    for name, value in figures.items():
        print(f"{name:38} {value:12,.0f} renders/s")
    for ours, anchor in RATIOS:
        print(f"ratio {ours} / {anchor}: {figures[ours] / figures[anchor]:.2f}")


if __name__ == "__main__":
    main()
