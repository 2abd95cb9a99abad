"""Writes docs/compatibility.md: every operation of the model, and what is not honoured of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.rest.domain.model import Action, load_model
from services.rest.domain.operations import OPERATIONS
from tests.support.conformance.coverage import Gaps, gaps_of

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "compatibility.md"
_HEAD: Final = """# Amazon Pinpoint's REST API

What the `rest` service honours of the model `pinpoint` 2016-12-01, as botocore ships it. This \
page is written by `make compatibility` from the table of operations, the model and the protos, \
and never by hand; `tests/system/test_rest_conformance.py` calls each operation that works with \
botocore and fails when this page is out of date.

- **works**: the operation is served. A member named under *answered with 501* is refused when \
it is given, so that nothing is lost in silence; one under *without effect* concerns AWS alone \
and is taken and ignored; one under *not answered* is left out of answers.
- **501**: the operation answers `NotImplementedException`.

"""


def text() -> str:
    """The whole page."""
    actions = sorted(load_model().actions.items())
    served = sum(name in OPERATIONS for name, _ in actions)
    count = f"{served} of {len(actions)} operations work.\n\n"
    rows = "".join(_row(name, action) for name, action in actions)
    table = f"| Operation | Request | State |\n|---|---|---|\n{rows}"
    return _HEAD + count + table + "\n## Members\n" + "".join(_members(actions))


def _row(name: str, action: Action) -> str:
    state = "works" if name in OPERATIONS else "501"
    return f"| {name} | `{action.method} {action.path}` | {state} |\n"


def _members(actions: list[tuple[str, Action]]) -> Iterator[str]:
    for name, action in actions:
        if name in OPERATIONS:
            lines = list(_lines(gaps_of(action, OPERATIONS[name])))
            if lines:
                yield f"\n### {name}\n\n" + "\n".join(lines) + "\n"


def _lines(gaps: Gaps) -> Iterator[str]:
    for told, paths in (
        ("Answered with 501", gaps.refused),
        ("Without effect", gaps.without_effect),
        ("Not answered", gaps.unanswered),
    ):
        if paths:
            yield f"- {told}: " + ", ".join(f"`{path}`" for path in sorted(set(paths))) + "."


if __name__ == "__main__":
    PAGE.write_text(text())
