"""What a compiled template calls while it renders: blocks, partials, data frames and bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from libs.handlebars.errors import RenderError, RenderLimitError
from libs.handlebars.values import (
    Resolve,
    Root,
    own_items,
    present,
    same_context,
)

# Pinpoint's `each` walks 15 items at most (specification 5.3).
MAX_EACH_ITEMS = 15
# UTF-8 takes at most this many for a character.
_BYTES_PER_CHARACTER = 4

Frame = dict[str, object]
# Context, data frame, block parameters (innermost first, linked) and enclosing contexts.
Depths = tuple[object, ...]
Env = tuple[object, Frame, object, Depths]
Body = Callable[["State", object, Frame, object, Depths], str]
Target = Callable[["State", object, Frame], str]

# The reference calls helpers with an empty object where the context is null.
NULL_CONTEXT: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one render: wall time, UTF-8 size of the output and nesting of partials."""

    seconds: float = 0.1
    output_bytes: int = 1_000_000
    partial_depth: int = 40
    clock: Callable[[], float] = time.perf_counter
    # Characters that fit whatever they are, so that most renders need not be measured.
    surely_fits: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "surely_fits", self.output_bytes // _BYTES_PER_CHARACTER)


@dataclass(frozen=True, slots=True)
class Features:
    """What a template uses of the costlier machinery; what it does not use is not kept up."""

    data: bool
    depths: bool


class State:
    """One render under way."""

    __slots__ = (
        "_deadline",
        "_depth",
        "_features",
        "_limits",
        "depths",
        "frame",
        "new_uuid",
        "now",
        "partials",
        "probe",
        "resolve",
        "root",
    )

    def __init__(
        self,
        resolve: Resolve,
        now: datetime,
        new_uuid: Callable[[], UUID],
        limits: Limits,
        features: Features,
    ) -> None:
        self.resolve = resolve
        self.probe: Resolve = getattr(resolve, "probe", resolve)
        self.now = now
        self.new_uuid = new_uuid
        self.root = Root(resolve, self.probe)
        self.frame: Frame = {"root": self.root}
        self.depths: Depths = (self.root,)
        self.partials: dict[str, Target] = {}
        self._features = features
        self._limits = limits
        self._deadline = limits.clock() + limits.seconds
        self._depth = 0

    def tick(self) -> None:
        """Raise RenderLimitError once the time is used up."""
        if self._limits.clock() > self._deadline:
            raise RenderLimitError(f"the render took more than {self._limits.seconds} seconds")

    def ran(self, value: object) -> object:
        """Pass on what a function returned, checking the time it took."""
        self.tick()
        return value

    def _check_size(self, size: int) -> None:
        if size > self._limits.output_bytes:
            raise output_limit(self._limits)

    def pushed(self, context: object, depths: Depths) -> Depths:
        """The contexts `../` can reach from `context`; an unchanged context adds no level."""
        if not self._features.depths or (depths and same_context(context, depths[0])):
            return depths
        return (context, *depths)

    def child(self, frame: Frame) -> Frame:
        return {**frame, "_parent": frame} if self._features.data else frame

    def each(self, value: object, body: Body | None, inverse: Body | None, env: Env) -> str:
        """`#each`: the body for each of the first 15 items, or the inverse for none."""
        items = own_items(value)[:MAX_EACH_ITEMS]
        if not items:
            return self.branch(inverse, env)
        if body is None:
            return ""
        frame, pieces, size = self.child(env[1]), [], 0
        for index, (key, item) in enumerate(items):
            if self._features.data:
                last = index == len(items) - 1
                frame |= {"key": key, "index": index, "first": not index, "last": last}
            piece = body(self, item, frame, ((item, key), env[2]), self.pushed(item, env[3]))
            size += len(piece)
            self._check_size(size)
            self.tick()
            pieces.append(piece)
        return "".join(pieces)

    def within(self, value: object, body: Body | None, inverse: Body | None, env: Env) -> str:
        """`#with`: the body in the context of a value that is there, else the inverse."""
        if not present(value):
            return self.branch(inverse, env)
        return self._enter(value, body, ((value,), env[2]), env)

    def section(self, value: object, body: Body | None, inverse: Body | None, env: Env) -> str:
        """`{{#x}}` where x is data: true keeps the context, a list repeats, a value is entered."""
        if value is True:
            return self._enter(env[0], body, (None, env[2]), env)
        if value is False or value is None:
            return self._enter(env[0], inverse, (None, env[2]), env)
        if isinstance(value, list | tuple):
            if value:
                return self.each(value, body, None, env)
            return self._enter(env[0], inverse, (None, env[2]), env)
        return self._enter(value, body, (None, env[2]), env)

    def branch(self, body: Body | None, env: Env) -> str:
        """A branch that keeps the context."""
        context = NULL_CONTEXT if env[0] is None else env[0]
        return body(self, context, env[1], (None, env[2]), env[3]) if body else ""

    def _enter(self, context: object, body: Body | None, params: object, env: Env) -> str:
        if body is None:
            return ""
        return body(self, context, env[1], params, self.pushed(context, env[3]))

    def partial(self, name: str, context: object, env: Env, indent: str, block: Body | None) -> str:
        """`{{> name}}`: the inline partial in scope, or the block given in its place."""
        target, frame = self.partials.get(name), env[1]
        outer = frame.get("partial-block")
        if target is None and name == "@partial-block" and callable(outer):
            target = outer
        if block is not None:
            given = _BlockPartial(Inline(block, env[2], env[3]), outer)
            frame = {**frame, "_parent": frame, "partial-block": given}
            target = target or given
        if target is None:
            raise RenderError(f"the partial {name} could not be found")
        return _indented(self._called(target, context, frame), indent)

    def _called(self, target: Target, context: object, frame: Frame) -> str:
        self._depth += 1
        if self._depth > self._limits.partial_depth:
            raise RenderLimitError(f"partials nest deeper than {self._limits.partial_depth}")
        self.tick()
        result = target(self, context, frame)
        self._check_size(len(result))
        self._depth -= 1
        return result


class Inline:
    """An inline partial together with what surrounded its definition."""

    __slots__ = ("_body", "_depths", "_params")

    def __init__(self, body: Body, params: object, depths: Depths) -> None:
        self._body = body
        self._params = params
        self._depths = depths

    def __call__(self, state: State, context: object, frame: Frame) -> str:
        depths = state.pushed(context, self._depths)
        return self._body(state, context, frame, (None, self._params), depths)


class _BlockPartial:
    """The content of `{{#> n}}`, seen as `@partial-block`; inside it the outer one counts."""

    __slots__ = ("_inline", "_outer")

    def __init__(self, inline: Inline, outer: object) -> None:
        self._inline = inline
        self._outer = outer

    def __call__(self, state: State, context: object, frame: Frame) -> str:
        inner = {**frame, "_parent": frame, "partial-block": self._outer}
        return self._inline(state, context, inner)


def inlined(
    partials: tuple[tuple[str, Body], ...], params: object, depths: Depths
) -> dict[str, Target]:
    """The inline partials a program defines, with what surrounds it."""
    return {name: Inline(body, params, depths) for name, body in partials}


def defining(body: Body, inlines: dict[str, Target]) -> Body:
    """The body with inline partials of its own, in force while it runs."""

    def scoped(state: State, context: object, frame: Frame, params: object, depths: Depths) -> str:
        outer = state.partials
        state.partials = {**outer, **inlines}
        result = body(state, context, frame, params, depths)
        state.partials = outer
        return result

    return scoped


def output_limit(limits: Limits) -> RenderLimitError:
    return RenderLimitError(f"the output is larger than {limits.output_bytes} bytes")


def _indented(result: str, indent: str) -> str:
    """Indent each line of a standalone partial, but not what follows the last line break."""
    if not indent:
        return result
    *lines, last = result.split("\n")
    kept = [indent + line for line in lines]
    return "\n".join([*kept, indent + last if last else ""])
