"""The shop's file, and what the demo works out from it by itself."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.shop import contacts, generate
from examples.shop.watching import SECOND_US, mean_rate, most_in

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_the_committed_file_is_what_the_generator_writes() -> None:
    assert generate.FILE.read_text(encoding="utf-8") == generate.text()


def test_the_file_has_every_kind_of_contact() -> None:
    everybody = contacts.contacts(contacts.fresh_file(NOW, generate.PEOPLE), NOW)
    people = {contact.user_id for contact in everybody.values()}
    assert len(people) == generate.PEOPLE
    assert len(everybody) > 2 * len(people)
    reasons = {contact.reason_for_nothing for contact in everybody.values()}
    assert reasons == {"", "INACTIVE", "OPT_OUT", "CHANNEL_MISMATCH", "INVALID_ADDRESS"}


def test_a_smaller_file_is_the_beginning_of_the_whole() -> None:
    few, all_of_them = contacts.fresh_file(NOW, 100), contacts.fresh_file(NOW, generate.PEOPLE)
    assert all_of_them.startswith(few)
    assert {c.user_id for c in contacts.contacts(few, NOW).values()} == {
        person.user_id for person in generate.people(100)
    }


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=23, minutes=59), timedelta(400)])
def test_who_is_meant_does_not_depend_on_the_day(later: timedelta) -> None:
    at = NOW + later
    members = contacts.audience(contacts.contacts(contacts.fresh_file(at, 300), at).values())
    first = contacts.audience(contacts.contacts(contacts.fresh_file(NOW, 300), NOW).values())
    assert members == first


def test_the_two_named_people_are_in_and_out() -> None:
    everybody = contacts.contacts(contacts.fresh_file(NOW, 2), NOW)
    assert everybody["u-0001-email"].is_in_segment
    assert not everybody["u-0002-sms"].is_in_segment


def test_a_later_row_takes_an_address_over() -> None:
    everybody = contacts.contacts(contacts.fresh_file(NOW, generate.PEOPLE), NOW)
    for (channel, _), group in contacts.by_mailbox(everybody.values()):
        exact = [c for c in group if c.address == group[-1].address]
        assert [c.is_replaced for c in exact] == [True] * (len(exact) - 1) + [False], channel


@given(st.lists(st.integers(0, 5_000_000), min_size=1, max_size=60).map(sorted))
def test_most_in_a_window_is_what_counting_each_window_finds(times: list[int]) -> None:
    counted = max(sum(start <= time < start + SECOND_US for time in times) for start in times)
    assert most_in(times, SECOND_US) == counted


def test_mean_rate_is_of_the_gaps() -> None:
    assert mean_rate([n * 50_000 for n in range(101)]) == pytest.approx(20.0)
    assert mean_rate([7]) == 0.0
