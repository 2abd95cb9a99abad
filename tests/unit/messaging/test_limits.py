"""The limits' arithmetic: no interleaving of workers, lateness or loss overfills a window."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.messaging.domain.buckets import (
    STRAY_US,
    Bucket,
    admit,
    move,
    release,
    reserve,
    stray_us,
)
from services.messaging.domain.limits import (
    SECOND_US,
    Ask,
    Limit,
    Slot,
    finish_time,
    governing,
    limit_per_second,
    whole_entries,
)
from services.messaging.usecases.server_clock import GRAIN_US, ServerClock

START = 1_800_000_000 * SECOND_US
ACCOUNT = limit_per_second("account/sms", 20)


def most_in_window(times: Sequence[int], window_us: int) -> int:
    times = sorted(times)
    return max((sum(1 for t in times if at <= t < at + window_us) for at in times), default=0)


def drain(limit: Limit, seconds: float, count: int) -> list[int]:
    """Ask again and again, every ten milliseconds, and use every slot at its time."""
    bucket, now, used = Bucket(), START, list[int]()
    while now < START + seconds * SECOND_US:
        bucket, granted = reserve(bucket, now, Ask(count), limit)
        used += [slot.at_us for slot in granted.slots]
        now += 10_000
    return [at for at in used if at < START + seconds * SECOND_US]


@dataclass
class Estate:
    """Workers on one bucket: each holds slots, uses them on time, late or never."""

    limit: Limit
    bucket: Bucket = field(default_factory=Bucket)
    now: int = START
    held: dict[int, list[Slot]] = field(default_factory=dict)
    unreported: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)

    def ask(self, worker: int, count: int, *, reports: bool) -> None:
        settled = tuple(self.unreported.pop(worker, [])) if reports else ()
        asked = Ask(count, 3_000, 0, settled)
        self.bucket, granted = reserve(self.bucket, self.now, asked, self.limit)
        if not granted.slots:
            self.now = granted.retry_at_us
        self.held.setdefault(worker, []).extend(granted.slots)
        self.held[worker].sort(key=lambda slot: slot.at_us)

    def use(self, worker: int, late_us: int) -> None:
        if not (slots := self.held.get(worker)):
            return
        slot = slots.pop(0)
        at = max(self.now, slot.at_us) + late_us
        self.now = max(self.now, slot.at_us)
        if at > slot.at_us + self.limit.grace_us:
            self.move(worker, slot)
            return
        self.sent.append(at)
        self.unreported.setdefault(worker, []).append((slot.entry_us, at))

    def move(self, worker: int, slot: Slot) -> None:
        to = self.now + 5_000
        self.bucket, moved = move(self.bucket, frozenset({slot.entry_us}), to, self.limit)
        if slot.entry_us in moved:
            self.held[worker].insert(0, Slot(to, moved[slot.entry_us]))

    def give_back(self, worker: int) -> None:
        unused = whole_entries(self.held.pop(worker, []), self.limit)
        self.bucket = release(self.bucket, unused)

    def die(self, worker: int) -> None:
        self.held.pop(worker, None)
        self.unreported.pop(worker, None)


LATENESS = st.sampled_from([0, 0, 0, 500, 7_000, 30_000, 49_000, 80_000, 400_000])
turns = st.lists(
    st.tuples(
        st.sampled_from(["use", "use", "use", "use", "silent", "back", "die", "pass"]),
        st.integers(0, 2),
        st.lists(LATENESS, min_size=1, max_size=6),
    ),
    min_size=20,
    max_size=60,
)


@given(turns, st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_no_window_holds_more_than_the_limit_whatever_workers_do(
    script: list[tuple[str, int, list[int]]], count: int
) -> None:
    estate = Estate(Limit("number/+1555", count))
    for deed, worker, lateness in script:
        if deed == "back":
            estate.give_back(worker)
        elif deed == "die":
            estate.die(worker)
        elif deed == "pass":
            estate.now += lateness[0]
        else:
            asked = len(lateness)
            estate.ask(worker, asked, reports=deed != "silent")
            for late_us in lateness[: asked - worker]:
                estate.use(worker, late_us)
    assert most_in_window(estate.sent, SECOND_US) <= count


@pytest.mark.parametrize("rate", [1, 2, 7, 20, 75, 200, 201, 399, 1000])
def test_a_backlog_gets_the_rate_even_when_nothing_is_reported(rate: int) -> None:
    limit = limit_per_second("run/a", rate)
    used = drain(limit, 4, max(limit.lease, 2))
    # Unreported, each slot counts to the end of its grace: that is the most that is lost.
    assert len(used) >= int(rate * 4 / 1.06) - 1
    assert most_in_window(used, SECOND_US) <= rate + limit.unit - 1


def test_a_backlog_that_reports_gets_99_percent_and_more() -> None:
    estate = Estate(ACCOUNT)
    while estate.now < START + 60 * SECOND_US:
        estate.ask(0, 2, reports=True)
        for _ in range(2):
            estate.use(0, 0)
    mean = (len(estate.sent) - 1) / ((estate.sent[-1] - estate.sent[0]) / SECOND_US)
    assert 19.8 <= mean <= 20.0


def test_slots_are_spread_evenly_and_a_late_one_delays_only_its_successor() -> None:
    bucket, first = reserve(Bucket(), START, Ask(16), ACCOUNT)
    steps = {b.at_us - a.at_us for a, b in zip(first.slots, first.slots[1:], strict=False)}
    assert steps == {ACCOUNT.step_us}
    late = first.slots[3]
    reports = [(slot.entry_us, slot.at_us) for slot in first.slots if slot is not late]
    reports.append((late.entry_us, late.at_us + 40_000))
    now = first.slots[-1].at_us
    _, second = reserve(bucket, now, Ask(10, settled=tuple(reports)), ACCOUNT)
    gaps = [b.at_us - a.at_us for a, b in zip(first.slots, second.slots[4:], strict=False)]
    assert gaps[3] >= ACCOUNT.window_us + 3 * ACCOUNT.step_us // 4
    assert max(gaps[4:]) < gaps[3]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60))
def test_a_slot_is_promised_when_the_report_it_depends_on_had_time_to_come(
    counts: list[int],
) -> None:
    bucket, now = Bucket(), START
    for count in counts:
        log = bucket.log
        bucket, granted = reserve(bucket, now, Ask(count), ACCOUNT)
        for place, slot in enumerate(granted.slots):
            # The entry whose place it takes counts at the end of its grace until it is reported.
            if (left := len(log) + place - ACCOUNT.entries) >= 0:
                leaves = (*log, *(one.entry_us for one in granted.slots))[left]
                assert slot.at_us >= leaves + ACCOUNT.window_us
                assert now - leaves >= ACCOUNT.window_us // 10 - 1
        now = granted.retry_at_us or now + 7_000


def test_reservations_stop_at_the_horizon_and_say_when_to_ask_again() -> None:
    bucket, granted = reserve(Bucket(), START, Ask(40), ACCOUNT)
    horizon = ACCOUNT.horizon_us
    assert 0 < len(granted.slots) < 20
    assert granted.slots[-1].at_us <= START + horizon
    bucket, refused = reserve(bucket, START, Ask(1), ACCOUNT)
    assert refused.slots == ()
    _, retried = reserve(bucket, refused.retry_at_us, Ask(1), ACCOUNT)
    assert len(retried.slots) == 1


def test_a_clock_that_jumped_back_costs_one_window_and_never_a_burst() -> None:
    ahead = START + stray_us(ACCOUNT) + 3600 * SECOND_US
    bucket, _ = reserve(Bucket(), ahead, Ask(18), ACCOUNT)
    _, granted = reserve(bucket, START, Ask(1), ACCOUNT)
    assert granted.slots == () or granted.slots[0].at_us >= START + SECOND_US
    _, later = reserve(bucket, START, Ask(1), ACCOUNT)
    assert later.retry_at_us - START < SECOND_US < STRAY_US


def test_a_changed_unit_costs_one_window_and_never_a_burst() -> None:
    small, large = limit_per_second("run/a", 100), limit_per_second("run/a", 1000)
    bucket, _ = reserve(Bucket(), START, Ask(50), small)
    bucket, granted = reserve(bucket, START + 300_000, Ask(50), large)
    assert granted.slots == ()
    assert granted.retry_at_us > START + 300_000


def test_a_slot_out_of_the_last_window_cannot_be_moved() -> None:
    bucket, first = reserve(Bucket(), START, Ask(1), ACCOUNT)
    bucket, _ = reserve(bucket, START + SECOND_US // 2, Ask(18), ACCOUNT)
    bucket, _ = reserve(bucket, START + SECOND_US, Ask(5), ACCOUNT)
    entry = first.slots[0].entry_us
    assert move(bucket, frozenset({entry}), START + 2 * SECOND_US, ACCOUNT) == (bucket, {})


def test_direct_admission_refuses_what_exceeds_the_rate_in_a_second() -> None:
    admitted: tuple[tuple[int, int], ...] = ()
    granted = []
    for number in range(25):
        now = START + number * SECOND_US // 25
        admitted, answer = admit(admitted, now, 1, ACCOUNT)
        granted.append(answer.granted)
    assert granted == [1] * 20 + [0] * 5
    retry = now + answer.retry_after_us
    assert admit(admitted, retry - 20_000, 1, ACCOUNT)[1].granted == 0
    assert admit(admitted, retry, 1, ACCOUNT)[1].granted == 1


@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(1, 30)), max_size=60))
def test_admission_never_passes_the_limit_in_a_second(asked: list[tuple[int, int]]) -> None:
    admitted: tuple[tuple[int, int], ...] = ()
    now, times = START, list[int]()
    for wait_us, count in asked:
        now += wait_us
        admitted, answer = admit(admitted, now, count, ACCOUNT)
        times += [now] * answer.granted
    assert most_in_window(times, SECOND_US) <= 20


def test_only_limits_that_can_bind_are_asked() -> None:
    run, number, account = (
        limit_per_second(key, rate)
        for key, rate in (("run/a", 5), ("number/1", 50), ("account", 20))
    )
    assert governing([run, number, account]) == (run, account)
    assert governing([account]) == (account,)
    assert governing([]) == ()


def test_a_rate_below_one_is_one_in_its_time() -> None:
    limit = limit_per_second("number/1", 0.2)
    assert (limit.count, limit.window_seconds, limit.lease) == (1, 5.0, 1)
    with pytest.raises(ValueError, match="positive"):
        Limit("x", 0)


def test_the_forecast_follows_the_tightest_limit() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    limits = [limit_per_second("run/a", 100), ACCOUNT]
    assert finish_time(1, limits, now) == now
    took = finish_time(2001, limits, now) - now
    assert timedelta(seconds=100) <= took <= timedelta(seconds=101)
    assert finish_time(5, [], now) == now


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0.0001, 0.2), st.floats(0, 1), st.floats(0.001, 1)), min_size=1),
)
def test_the_servers_clock_is_never_taken_to_be_ahead(
    offset_seconds: float, replies: list[tuple[float, float, float]]
) -> None:
    local = [1000.0]
    clock = ServerClock(lambda: local[0])
    for round_trip, share, pause in replies:
        sent = clock.local_us()
        stamped = (local[0] + round_trip * share + offset_seconds) * 1e6
        local[0] += round_trip
        clock.observe(sent, clock.local_us(), int(stamped // GRAIN_US * GRAIN_US))
        local[0] += pause
        true_now = (local[0] + offset_seconds) * 1e6
        assert clock.due_in_us(int(true_now)) >= -2
        assert clock.server_us() >= true_now - 2
        assert clock.width_us() <= (min(r for r, _, _ in replies[:1]) + 1) * 1e6


def test_a_server_clock_set_back_is_believed_at_once() -> None:
    local = [50.0]
    clock = ServerClock(lambda: local[0])
    clock.observe(50.0e6, 50.001e6, START)
    clock.observe(50.0e6, 50.001e6, START - 10 * SECOND_US)
    assert clock.due_in_us(START) >= 9.9 * SECOND_US


def test_a_slow_reply_does_not_move_the_clock() -> None:
    local = [50.0]
    clock = ServerClock(lambda: local[0])
    clock.observe(50.0e6, 50.001e6, START)
    before = clock.due_in_us(START)
    clock.observe(49.9e6, 50.4e6, START + 100_000)
    assert abs(clock.due_in_us(START) - before) < 100
