"""How a running template reaches its contexts, data frames and block parameters."""

from __future__ import annotations

from libs.handlebars.values import Resolve, Root, look, text, truthy_script, unrooted


def data_value(frame: object, depth: int, parts: tuple[str, ...]) -> object:
    """`@a.b` and `@../a`: the lookup stops at the first value JavaScript calls false."""
    for _ in range(depth):
        frame = frame.get("_parent") if isinstance(frame, dict) else None
    value = frame
    for part in parts:
        if not truthy_script(value):
            return value
        value = look_in(value, part)
    return value


def look_in(value: object, name: object) -> object:
    """`lookup value name`, also of the root context and by number."""
    return look(value, (text(name),)) if truthy_script(value) or type(value) is Root else value


def upper_context(depths: tuple[object, ...], level: int) -> object:
    return depths[level] if level < len(depths) else None


def block_param(params: object, level: int, index: int) -> object:
    """The block parameter `index` of the block `level` programs out; None where it has none."""
    for _ in range(level):
        if not isinstance(params, tuple) or not params:
            return None
        params = params[1]
    values = params[0] if isinstance(params, tuple) and params else None
    return values[index] if isinstance(values, tuple) and index < len(values) else None


def merged(context: object, pairs: tuple[tuple[str, object], ...]) -> object:
    """The context of a partial called with named arguments, which shadow its properties."""
    named = dict(pairs)
    if isinstance(context, Root):
        return _shadowed(context, named)
    plain = unrooted(context)
    return {**plain, **named} if isinstance(plain, dict) else named


def _shadowed(root: Root, named: dict[str, object]) -> Root:
    def over(resolve: Resolve) -> Resolve:
        def resolved(path: tuple[str, ...]) -> object:
            if path and path[0] in named:
                return data_value(named, 0, path)
            whole = resolve(path)
            return {**whole, **named} if not path and isinstance(whole, dict) else whole

        return resolved

    return Root(over(root.resolve), over(root.probe))
