"""`docs/features.md` against the code: every row is there, and every test and path it names."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "features.md"
AREAS = {
    "CORE": 15,
    "EP": 16,
    "EV": 13,
    "SG": 22,
    "TP": 18,
    "CH": 29,
    "CO": 24,
    "CA": 24,
    "JO": 31,
    "AN": 19,
    "OP": 16,
}
EXPECTED = [f"{area}-{n:02}" for area, count in AREAS.items() for n in range(1, count + 1)]
STATES = ("works", "part", "absent")
COUNTED = (*STATES, "all")
# What `make test` runs: a reference to anything else would prove nothing.
COLLECTED = ("tests/unit/", "tests/contract/", "tests/integration/", "tests/system/")
_ID = re.compile(r"[A-Z]+-\d+")
_REFERENCE = re.compile(r"`([^`\s]+)`")
_PATH = re.compile(r"`((?:services|libs|protos|examples|deploy|tests)(?:/[\w./]+)?)`")


@dataclass(frozen=True)
class Row:
    """A line of one of the tables."""

    row_id: str
    feature: str
    state: str
    where: str
    proof: str

    @property
    def tests(self) -> list[str]:
        """The tests named, as `tests/path/test_x.py::test_name`."""
        return _REFERENCE.findall(self.proof)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_lines(text: str) -> Iterator[list[str]]:
    return (cells(line) for line in text.splitlines() if line.startswith("|"))


def rows(text: str) -> list[Row]:
    """Every line that begins with an id; without five cells it has no state, which is a fault."""
    found = [line for line in table_lines(text) if _ID.fullmatch(line[0])]
    return [Row(*line) if len(line) == 5 else Row(line[0], "", "", "", "") for line in found]


def stated_counts(text: str) -> dict[str, int]:
    """The counts of the introduction, by state."""
    found = [line for line in table_lines(text) if line[0] in COUNTED]
    return {line[0]: int(line[1]) for line in found}


@cache
def functions(path: str) -> frozenset[str]:
    """Functions of a test file, methods as `Class::name`; none when there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    return frozenset(_named(ast.parse(file.read_text(encoding="utf-8")).body))


def _named(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from (f"{node.name}::{name}" for name in _named(node.body))


def order_faults(found: list[Row]) -> Iterator[str]:
    """Ids that are missing, there twice, unknown, or not where the specification has them."""
    ids = [row.row_id for row in found]
    yield from (f"{one}: there {n} times" for one, n in Counter(ids).items() if n > 1)
    yield from (f"{one}: is missing" for one in EXPECTED if one not in ids)
    yield from (f"{one}: is no row of the checklist" for one in ids if one not in EXPECTED)
    if ids != EXPECTED:
        yield f"{len(ids)} rows, or their order is not that of the checklist"


def row_faults(row: Row) -> Iterator[str]:
    """What is wrong with one row."""
    if row.state not in STATES:
        yield f"{row.row_id}: {row.state!r} is no state"
    if not row.feature:
        yield f"{row.row_id}: names no feature"
    if (row.state == "absent") == bool(row.tests):
        yield f"{row.row_id}: {row.state} and names {len(row.tests)} tests"
    if row.state != "absent" and not row.where.strip("–"):
        yield f"{row.row_id}: says not where it lives"
    yield from (f"{row.row_id}: {fault}" for test in row.tests for fault in reference_faults(test))
    for path in _PATH.findall(row.where):
        if not (ROOT / path).exists():
            yield f"{row.row_id}: there is no {path}"


def reference_faults(reference: str) -> Iterator[str]:
    """What is wrong with one reference to a test."""
    path, _, name = reference.partition("::")
    if not path.startswith(COLLECTED) or not name.rpartition("::")[2].startswith("test_"):
        yield f"{reference} is no test that is run"
    elif name not in functions(path):
        yield f"there is no {reference}"


def count_faults(text: str, found: list[Row]) -> Iterator[str]:
    """Counts of the introduction that are not those of the tables."""
    stated = stated_counts(text)
    real = Counter(row.state for row in found) + Counter(all=len(found))
    for state in COUNTED:
        if stated.get(state) != real[state]:
            yield f"{real[state]} rows of {state}, the introduction says {stated.get(state)}"


def faults(text: str) -> list[str]:
    """Everything wrong with the document."""
    found = rows(text)
    each = [fault for row in found for fault in row_faults(row)]
    return [*order_faults(found), *each, *count_faults(text, found)]


@pytest.fixture(scope="module")
def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_checklist_has_227_rows() -> None:
    assert len(EXPECTED) == len(set(EXPECTED)) == 227


def test_the_document_is_true_of_the_code(text: str) -> None:
    assert faults(text) == []


PROVEN = "tests/integration/templates/test_templates.py::test_lists_are_paged_by_name_and_filtered"


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (r"^\| EP-09 .*\n", "", "EP-09: is missing"),
        (r"^(\| EP-09 .*\n)", r"\1\1", "EP-09: there 2 times"),
        (r"^(\| EP-09 .*\n)(\| EP-10 .*\n)", r"\2\1", "227 rows, or their order is not"),
        (r"^\| EP-09 ", "| EP-99 ", "EP-99: is no row of the checklist"),
        (r"(TP-15 .*) \| works \|", r"\1 | done |", "TP-15: 'done' is no state"),
        (r"(TP-15 .*) \| works \|", r"\1 | absent |", "TP-15: absent and names 1 tests"),
        (f"`{PROVEN}`", "", "TP-15: works and names 0 tests"),
        (PROVEN, f"{PROVEN}_not", f"TP-15: there is no {PROVEN}_not"),
        (PROVEN, PROVEN.replace("/test_t", "/test_u"), "TP-15: there is no tests/integration/"),
        (
            PROVEN,
            "tests/bench/bench_render.py::main",
            "TP-15: tests/bench/bench_render.py::main is",
        ),
        (r"`services/templates/store.py`", "`services/templates/shop.py`", "TP-15: there is no s"),
        (r"`services/templates/store.py`", "", "TP-15: says not where it lives"),
        (r"(TP-15 \|) [^|]* \|", r"\1", "TP-15: '' is no state"),
        (r"(TP-15 \|) [^|]* \|", r"\1 |", "TP-15: names no feature"),
        (r"^\| works \| \d+ \|", "| works | 227 |", "the introduction says 227"),
        (r"^\| all \| \d+ \|.*\n", "", "227 rows of all, the introduction says None"),
    ],
)
def test_a_broken_document_is_found_out(text: str, before: str, after: str, fault: str) -> None:
    broken, changes = re.subn(before, after, text, count=1, flags=re.MULTILINE)
    assert changes == 1
    assert any(fault in found for found in faults(broken))


def test_methods_count_by_their_class() -> None:
    body = ast.parse("class TestA:\n async def test_b(self): ...\nclass C:\n def test_d(self): ...")
    assert list(_named(body.body)) == ["TestA::test_b"]
