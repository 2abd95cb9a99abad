"""Fair shares of a lane: by weight, in every window, and nobody starves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.sharing import (
    LEAST_DEPTH,
    MOST_DEPTH,
    MOST_WEIGHT,
    Waiting,
    next_depth,
    share,
)

SIZE = 100
WEIGHTS = st.dictionaries(
    st.sampled_from("abcdef"), st.integers(1, MOST_WEIGHT), min_size=2, max_size=6
)


def backlog(app_id: str, count: int, size: int = SIZE) -> list[Waiting]:
    return [Waiting(f"{app_id}{n}", size) for n in range(count)]


def served(weights: dict[str, int], rounds: list[int], sizes: dict[str, int]) -> list[str]:
    """Who was served, in order, when everybody always has something waiting."""
    passes: dict[str, int] = {}
    order: list[str] = []
    for slots in rounds:
        waiting = {one: backlog(one, slots, sizes[one]) for one in weights}
        shared = share(passes, waiting, weights, slots)
        passes = dict(shared.passes)
        order += [batch_id[0] for batch_id in shared.batch_ids]
    return order


@given(WEIGHTS, st.lists(st.integers(1, 40), min_size=2, max_size=8), st.data())
def test_in_every_window_each_has_its_weight_give_or_take_a_batch(
    weights: dict[str, int], rounds: list[int], data: st.DataObject
) -> None:
    sizes = {one: data.draw(st.integers(1, SIZE)) for one in weights}
    order = served(weights, rounds, sizes)
    assert len(order) == sum(rounds)
    start = data.draw(st.integers(0, len(order) - 1))
    count = Counter(order[start : data.draw(st.integers(start + 1, len(order)))])
    # One common measure of service fits everybody, to within one batch of each.
    most_of_the_least = min((count[one] + 1) * sizes[one] / w for one, w in weights.items())
    least_of_the_most = max((count[one] - 1) * sizes[one] / w for one, w in weights.items())
    assert least_of_the_most <= most_of_the_least + 1e-9


@given(WEIGHTS)
def test_nobody_waits_for_more_than_everybody_elses_share(weights: dict[str, int]) -> None:
    order = served(weights, [400], dict.fromkeys(weights, SIZE))
    for one, weight in weights.items():
        turns = [place for place, who in enumerate(order) if who == one]
        longest = max(b - a for a, b in zip([-1, *turns], [*turns, len(order)], strict=True))
        others = sum(-(-other // weight) + 1 for name, other in weights.items() if name != one)
        assert longest <= others + 1


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 12)),
    st.integers(0, 50),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**11)),
)
def test_what_waits_is_chosen_once_oldest_first_and_no_slot_is_left_unused(
    counts: dict[str, int], slots: int, passes: dict[str, int]
) -> None:
    waiting = {one: backlog(one, count) for one, count in counts.items()}
    shared = share(passes, waiting, {}, slots)
    assert len(shared.batch_ids) == min(slots, sum(counts.values()))
    for one, batches in waiting.items():
        mine = [key for key in shared.batch_ids if key[0] == one]
        assert mine == [batch.batch_id for batch in batches][: len(mine)]


def test_a_newcomer_is_next_and_idling_earns_nothing() -> None:
    alone = share({}, {"a": backlog("a", 50)}, {}, 50)
    both = {"a": backlog("a", 20), "b": backlog("b", 20)}
    order = [key[0] for key in share(alone.passes, both, {}, 10).batch_ids]
    assert order == list("babababab" + "a")


def test_who_leaves_ahead_comes_back_ahead() -> None:
    """Coming with one batch at a time must not jump the queue again and again."""
    passes: dict[str, int] = {}
    order: list[str] = []
    for turn in range(20):
        waiting = {"a": backlog("a", 9), "b": backlog("b", 9), "c": backlog("c", 1)}
        if turn % 2:
            del waiting["c"]
        shared = share(passes, waiting, {}, 2)
        passes = dict(shared.passes)
        order += [key[0] for key in shared.batch_ids]
    assert Counter(order)["c"] <= min(Counter(order)["a"], Counter(order)["b"])


def test_small_batches_are_charged_by_their_messages() -> None:
    waiting = {"a": backlog("a", 10, 100), "b": backlog("b", 500, 10)}
    order = [key[0] for key in share({}, waiting, {}, 110).batch_ids]
    assert Counter(order) == {"a": 10, "b": 100}


@pytest.mark.parametrize(
    ("most", "waiting", "expected"),
    [
        (10, 0, 20),
        (10, 2, 10),
        (10, 10, LEAST_DEPTH),
        (64, 10, 128),
        (64, 64, 56),
        (64, 30, 64),
        (MOST_DEPTH, 0, MOST_DEPTH),
    ],
)
def test_a_queue_is_as_deep_as_its_workers_are_quick(
    most: int, waiting: int, expected: int
) -> None:
    assert next_depth(most, waiting) == expected
