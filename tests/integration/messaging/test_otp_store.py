"""One-time passwords as they are kept: time, attempts and races, on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from libs.ids import new_id
from libs.mongo.client import Database
from services.messaging.domain.otp import KeptOtp, OtpHasher, OtpOrder, otp_key
from services.messaging.store.otp import OtpStore

pytestmark = pytest.mark.servers
NOW = datetime.now(UTC)
PHONE = "+12065550142"


def kept(app_id: str, reference: str = "sign-in") -> KeptOtp:
    order = OtpOrder("SMS", "Shop", PHONE, "SHOP", reference, attempts=3)
    return OtpHasher("any").keep(app_id, order, "123456", NOW)


async def test_the_time_of_a_code_is_over_at_its_end(ledger_database: Database) -> None:
    store, otp = OtpStore(ledger_database), kept(new_id())
    await store.put(otp)
    assert await store.attempt(otp.key, NOW + timedelta(minutes=15)) is None
    assert await store.attempt(otp.key, NOW + timedelta(minutes=14, seconds=59)) is not None


async def test_guesses_at_the_same_time_are_no_more_than_allowed(ledger_database: Database) -> None:
    store, otp = OtpStore(ledger_database), kept(new_id())
    await asyncio.gather(*(store.put(otp) for _ in range(10)))
    taken = await asyncio.gather(*(store.attempt(otp.key, NOW) for _ in range(20)))
    assert sorted(one.attempts_left for one in taken if one is not None) == [0, 1, 2]


async def test_of_those_who_use_a_code_up_one_is_told_so(ledger_database: Database) -> None:
    store, otp = OtpStore(ledger_database), kept(new_id())
    await store.put(otp)
    assert sum(await asyncio.gather(*(store.use_up(otp) for _ in range(10)))) == 1
    assert await store.attempt(otp.key, NOW) is None


async def test_an_answer_to_the_old_code_leaves_the_new_one(ledger_database: Database) -> None:
    store, app_id = OtpStore(ledger_database), new_id()
    old, new = kept(app_id), kept(app_id)
    await store.put(old)
    answered = await store.attempt(old.key, NOW)
    assert answered is not None
    await store.put(new)
    assert not await store.use_up(answered)
    found = await store.attempt(new.key, NOW)
    assert found is not None
    assert (found.salt, found.attempts_left) == (new.salt, 2)


async def test_what_is_unknown_is_not_made_by_asking(ledger_database: Database) -> None:
    store, app_id = OtpStore(ledger_database), new_id()
    await store.put(kept(app_id))
    for other in (
        otp_key(app_id, PHONE, "sign-up"),
        otp_key(app_id, "+12065550143", "sign-in"),
        otp_key(new_id(), PHONE, "sign-in"),
    ):
        assert await store.attempt(other, NOW) is None
        assert await ledger_database["otps"].find_one({"_id": other}) is None
