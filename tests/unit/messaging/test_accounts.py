"""Accounts at SMS centres: whose limits hold, and whom a text may be meant for."""

from services.messaging.domain.accounts import (
    OwnAccount,
    Sender,
    account_key,
    account_of,
    addressed,
    admission_limits,
    sms_limits,
)
from services.messaging.domain.channels import Smpp, SmsChannel

OWN = OwnAccount(account_key("smsc.example", 2775, "main"), 20)
THERE = Smpp("smsc.example", 2775, "main", "secret")
ELSEWHERE = Smpp("other.example", 2775, "shop", "secret")


def channel(smpp: Smpp | None = None, rate: int = 0, number: str = "") -> SmsChannel:
    return SmsChannel(
        enabled=True,
        origination_number=number,
        smpp=smpp or Smpp(),
        parts_per_second=rate,
    )


def rates(made: SmsChannel | None) -> list[tuple[str, int]]:
    return [(one.key, one.count) for one in sms_limits("app", made, OWN)]


def test_the_installations_rate_holds_for_who_names_none() -> None:
    assert rates(None) == rates(channel()) == rates(channel(ELSEWHERE)) == [("sms/account", 20)]


def test_a_rate_without_a_server_is_a_share_of_the_installations() -> None:
    assert rates(channel(rate=7)) == [("sms/app", 7), ("sms/account", 20)]


def test_a_rate_beside_a_server_is_the_accounts_whoever_sends_over_it() -> None:
    key = account_key("OTHER.example", 2775, "shop")
    assert rates(channel(ELSEWHERE, 100)) == [(f"sms/{key}", 100)]
    assert sms_limits("a", channel(ELSEWHERE, 100), OWN) == sms_limits(
        "b", channel(ELSEWHERE, 100), OWN
    )
    # The same account, named: the bucket is the one that everybody else there passes.
    assert rates(channel(THERE, 100)) == [("sms/account", 100)]


def test_admission_has_buckets_of_its_own() -> None:
    sends = sms_limits("app", channel(rate=7), OWN)
    admits = admission_limits(sends)
    assert [one.count for one in admits] == [one.count for one in sends]
    assert not {one.key for one in admits} & {one.key for one in sends}


def test_a_text_is_meant_for_the_owners_of_its_number_on_its_account() -> None:
    mine = Sender("mine", channel(number="+15550001"))
    twin = Sender("twin", channel(THERE, number="+15550001"))
    other = Sender("other", channel(number="+15550002"))
    elsewhere = Sender("elsewhere", channel(ELSEWHERE, number="+15550001"))
    senders = [mine, twin, other, elsewhere]
    assert account_of(twin.channel, OWN) == OWN.key != account_of(elsewhere.channel, OWN)
    assert addressed(senders, "+15550001", OWN.key, OWN) == [mine, twin]
    assert addressed(senders, "+15550009", OWN.key, OWN) == [mine, twin, other]
    assert addressed(senders, "+15550001", "000000000000", OWN) == []
