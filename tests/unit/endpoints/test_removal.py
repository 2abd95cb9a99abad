"""Which names a glob takes away, and what is left of changes and endpoints."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import Violations
from services.endpoints.domain.endpoint import Change
from services.endpoints.domain.removal import KINDS, Removed, check_globs, without

NAMES = st.text("abXY_.", max_size=6)
GLOBS = st.text("abXY_.*?", min_size=1, max_size=5)


@given(st.lists(GLOBS, min_size=1, max_size=4), st.lists(NAMES, max_size=8, unique=True))
def test_a_name_goes_when_any_glob_fits(globs: list[str], names: list[str]) -> None:
    removed = Removed({"attributes": tuple(globs)})
    kept = removed.kept("attributes", dict.fromkeys(names, 1))
    assert list(kept) == [n for n in names if not any(fnmatchcase(n, g) for g in globs)]


@pytest.mark.parametrize(
    ("glob", "name", "fits"),
    [
        ("plan", "plan", True),
        ("plan", "Plan", False),
        ("plan", "plans", False),
        ("old_*", "old_", True),
        ("a?c", "abc", True),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a.c", "abc", False),
    ],
)
def test_globs(glob: str, name: str, fits: bool) -> None:  # noqa: FBT001
    assert Removed({"metrics": (glob,)}).covers("metrics", name) is fits


def test_each_kind_has_globs_of_its_own() -> None:
    change = Change(
        "e",
        attributes={"plan": ("gold",)},
        metrics={"plan": 1.0},
        user_attributes={"plan": ("x",)},
    )
    for kind in KINDS:
        left = without(change, Removed({kind: ("plan",)}))
        assert [k for k in KINDS if not getattr(left, k)] == [kind]
    assert without(change, Removed()) is change


def test_every_bad_name_is_told() -> None:
    found = Violations()
    check_globs(found, ["", "fine", "x" * 129])
    assert {one.field for one in found.found} == {"blacklist[0]", "blacklist[2]"}
    none, many = Violations(), Violations()
    check_globs(none, [])
    check_globs(many, ["x"] * 51)
    assert [one.field for one in (*none.found, *many.found)] == ["blacklist", "blacklist"]
