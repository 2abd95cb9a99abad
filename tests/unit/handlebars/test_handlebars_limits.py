"""The bounds of a render: time, output size and nesting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from libs.handlebars import Limits, RenderLimitError, compile_template
from libs.handlebars.values import look

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DATA: dict[str, Any] = {"name": "Ann", "list": ["a", "b"], "many": list(range(40))}


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


@pytest.mark.parametrize(
    "source",
    [
        "{{#each many}}{{#each ../many}}{{#each ../../many}}x{{/each}}{{/each}}{{/each}}",
        "{{upper name}}" * 300,
        "{{name}}" * 6_200,
        '{{#*inline "p"}}{{/inline}}' + "{{> p}}" * 300,
    ],
)
def test_a_render_past_its_time_is_stopped(source: str) -> None:
    # Each look at the clock finds a millisecond gone, whatever the speed of the machine.
    limits = Limits(clock=partial(next, ticking(0.001)))
    template = compile_template(source, escape=True)
    with pytest.raises(RenderLimitError, match="seconds"):
        template.render(partial(look, DATA), now=NOW, limits=limits)


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ("{{x}}", 1_000_001),
        ("{{x}}", 500_001),
        ("{{#each many}}{{../x}}{{/each}}", 100_000),
        ("{{replace x 'x' x}}", 2_000),
        ("{{join list x}}", 1_000_001),
        ("{{center x 10001}}", 1),
        ('{{#*inline "p"}}{{x}}{{x}}{{/inline}}{{> p}}', 600_000),
    ],
)
def test_output_past_a_megabyte_is_refused(source: str, size: int) -> None:
    x = "é" * size if size == 500_001 else "x" * size
    unbounded = Limits(seconds=60)
    template = compile_template(source, escape=False)
    with pytest.raises(RenderLimitError):
        template.render(partial(look, DATA | {"x": x}), now=NOW, limits=unbounded)


def test_a_megabyte_itself_is_allowed() -> None:
    template = compile_template("{{x}}", escape=False)
    x = "x" * 1_000_000
    assert template.render(partial(look, {"x": x}), now=NOW) == x


def endless(inside: str) -> None:
    template = compile_template('{{#*inline "p"}}' + inside + "{{/inline}}{{> p}}", escape=True)
    template.render(partial(look, DATA), now=NOW)


def test_endless_partials_are_stopped() -> None:
    with pytest.raises(RenderLimitError, match="partials nest deeper"):
        endless("{{> p}}")


def test_partials_through_deep_blocks_are_stopped() -> None:
    inside = "{{#if name}}" * 50 + "{{> p}}" + "{{/if}}" * 50
    with pytest.raises(RenderLimitError):
        endless(inside)
