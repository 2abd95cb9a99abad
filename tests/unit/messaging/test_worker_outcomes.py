"""Provider answers to ledger outcomes, outcomes to events, late reports to receipts."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.smpp.codes import CommandStatus
from services.messaging.adapters import smpp_statuses, smtp_replies
from services.messaging.domain.families import APNS_TYPES
from services.messaging.domain.happenings import (
    Told,
    complaint_happening,
    country_of,
    happenings_of,
    receipt_happening,
    shared_attributes,
)
from services.messaging.domain.ledger import Origin, Reason, State, may_become
from services.messaging.domain.outbound import MailReport, PartReceipt
from services.messaging.domain.outcomes import (
    Answer,
    Status,
    campaign_send_status,
    channel_event,
    is_resent,
    outcome_of,
    record_status,
)
from services.messaging.domain.receipts import bounce_receipt, sms_receipt
from services.messaging.domain.retry import MAX_ATTEMPTS, Attempt, next_attempt

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RECORD_STATUSES = frozenset(
    [
        "SUCCESSFUL",
        "DELIVERED",
        "PENDING",
        "INVALID",
        "UNREACHABLE",
        "UNKNOWN",
        "BLOCKED",
        "CARRIER_UNREACHABLE",
        "SPAM",
        "INVALID_MESSAGE",
        "CARRIER_BLOCKED",
        "TTL_EXPIRED",
        "MAX_PRICE_EXCEEDED",
        "OPTED_OUT",
        "NO_QUOTA_LEFT_ON_ACCOUNT",
        "NO_ORIGINATION_IDENTITY_AVAILABLE_TO_SEND",
        "DESTINATION_COUNTRY_NOT_SUPPORTED",
        "ACCOUNT_IN_SANDBOX",
        "RATE_EXCEEDED",
        "INVALID_ORIGINATION_IDENTITY",
        "ORIGINATION_IDENTITY_DOES_NOT_EXIST",
        "INVALID_DLT_PARAMETERS",
        "INVALID_PARAMETERS",
        "ACCESS_DENIED",
        "INVALID_KEYWORD",
        "INVALID_SENDER_ID",
        "INVALID_POOL_ID",
        "SENDER_ID_NOT_SUPPORTED_FOR_DESTINATION",
        "INVALID_PHONE_NUMBER",
    ]
)


@pytest.mark.parametrize(
    ("status", "message_type", "attempt", "state", "reason"),
    [
        (Status.SUCCESSFUL, "PROMOTIONAL", 1, State.SENT, Reason.NONE),
        (Status.THROTTLED, "PROMOTIONAL", 1, State.RETRY, Reason.NONE),
        (Status.TEMPORARY_FAILURE, "TRANSACTIONAL", 2, State.RETRY, Reason.NONE),
        (Status.TEMPORARY_FAILURE, "PROMOTIONAL", 3, State.FAILED, Reason.RETRIES_EXHAUSTED),
        (Status.PERMANENT_FAILURE, "PROMOTIONAL", 1, State.FAILED, Reason.PERMANENT_FAILURE),
        (Status.UNKNOWN_FAILURE, "PROMOTIONAL", 1, State.UNKNOWN, Reason.NONE),
        (Status.UNKNOWN_FAILURE, "TRANSACTIONAL", 1, State.RETRY, Reason.NONE),
        (Status.OPT_OUT, "PROMOTIONAL", 1, State.SKIPPED, Reason.OPT_OUT),
        (Status.DUPLICATE, "PROMOTIONAL", 1, State.SKIPPED, Reason.DUPLICATE_ADDRESS),
        (Status.NOT_CALLED, "PROMOTIONAL", 1, State.QUEUED, Reason.NONE),
    ],
)
def test_answers(
    status: Status, message_type: str, attempt: int, state: State, reason: Reason
) -> None:
    resent = is_resent("EMAIL", message_type)
    outcome = outcome_of("m", Answer(status), Attempt(attempt), NOW, resent=resent)
    assert (outcome.state, outcome.reason) == (state, reason)
    assert (outcome.due_time is not None) == (state is State.RETRY)
    assert may_become(State.CLAIMED, outcome.state)


def test_every_status_has_an_outcome_the_ledger_allows() -> None:
    for status in Status:
        for resent in (True, False):
            outcome = outcome_of("m", Answer(status), Attempt(), NOW, resent=resent)
            assert may_become(State.CLAIMED, outcome.state)


def test_a_lost_answer_is_tried_again_where_the_provider_takes_our_id() -> None:
    """Whatever the class; of other channels only where twice is better than never."""
    lost = Answer(Status.UNKNOWN_FAILURE)
    for channel_type in ("CUSTOM", *APNS_TYPES):
        resent = is_resent(channel_type, "PROMOTIONAL")
        assert outcome_of("m", lost, Attempt(), NOW, resent=resent).state is State.RETRY
    for channel_type in ("EMAIL", "SMS", "GCM", "ADM", "BAIDU", "VOICE"):
        assert not is_resent(channel_type, "PROMOTIONAL")
        assert is_resent(channel_type, "TRANSACTIONAL")


def test_the_cause_an_adapter_knows_wins() -> None:
    answer = Answer(Status.PERMANENT_FAILURE, reason=Reason.HARD_BOUNCE, detail="550 no such user")
    outcome = outcome_of("m", answer, Attempt(), NOW, resent=False)
    assert (outcome.reason, outcome.detail) == (Reason.HARD_BOUNCE, "550 no such user")


def test_details_are_bounded() -> None:
    answer = Answer(Status.PERMANENT_FAILURE, detail="x" * 5000)
    assert len(outcome_of("m", answer, Attempt(), NOW, resent=False).detail) == 300


def test_waits_grow_and_stay_inside_the_time_to_live() -> None:
    first, second = next_attempt(Attempt(1), NOW), next_attempt(Attempt(2), NOW)
    assert (first, second) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=4))
    late = next_attempt(Attempt(2, jitter=0.999), NOW)
    assert late is not None
    assert timedelta(seconds=4) < late - NOW < timedelta(seconds=5)
    assert next_attempt(Attempt(MAX_ATTEMPTS), NOW) is None
    assert next_attempt(Attempt(1, NOW + timedelta(seconds=1)), NOW) is None
    assert next_attempt(Attempt(1, NOW + timedelta(seconds=2)), NOW) is not None


@pytest.mark.parametrize(
    ("channel", "state", "reason", "event", "campaign"),
    [
        ("EMAIL", State.SENT, Reason.NONE, "_email.send", "SUCCESS"),
        ("EMAIL", State.FAILED, Reason.HARD_BOUNCE, "_email.hardbounce", "FAILURE_PERMANENT"),
        ("EMAIL", State.FAILED, Reason.RETRIES_EXHAUSTED, "_email.softbounce", "TRANSIENT_FAILURE"),
        ("EMAIL", State.FAILED, Reason.PERMANENT_FAILURE, "_email.rejected", "FAILURE_PERMANENT"),
        ("EMAIL", State.SKIPPED, Reason.RENDERING_FAILURE, "_email.rendering_failure", "FAILURE"),
        ("EMAIL", State.SKIPPED, Reason.SUPPRESSED, "_email.hardbounce", "FAILURE_PERMANENT"),
        ("EMAIL", State.SKIPPED, Reason.EXPIRED, "", "EXPIRED"),
        ("EMAIL", State.SKIPPED, Reason.OPT_OUT, "", "FAILURE_PERMANENT"),
        ("EMAIL", State.SKIPPED, Reason.CHANNEL_DISABLED, "", "UNSUPPORTED_CHANNEL"),
        ("EMAIL", State.RETRY, Reason.NONE, "", ""),
        ("EMAIL", State.UNKNOWN, Reason.NONE, "", ""),
        ("EMAIL", State.HELD, Reason.NONE, "", ""),
        ("EMAIL", State.CANCELLED, Reason.STOPPED, "", ""),
        ("SMS", State.SENT, Reason.NONE, "_SMS.BUFFERED", "SUCCESS"),
        ("SMS", State.DELIVERED, Reason.NONE, "_SMS.SUCCESS", ""),
        ("SMS", State.FAILED, Reason.UNREACHABLE, "_SMS.FAILURE", "FAILURE_PERMANENT"),
        ("SMS", State.SKIPPED, Reason.CONTENT_TOO_LONG, "_SMS.FAILURE", "FAILURE"),
        ("SMS", State.RETRY, Reason.NONE, "", ""),
    ],
)
def test_events(channel: str, state: State, reason: Reason, event: str, campaign: str) -> None:
    assert channel_event(channel, state, reason) == event
    assert campaign_send_status(state, reason) == campaign


def test_record_statuses_are_those_of_the_spec() -> None:
    for state in State:
        for reason in Reason:
            assert record_status(state, reason) in RECORD_STATUSES
    assert record_status(State.SKIPPED, Reason.OPT_OUT) == "OPTED_OUT"
    assert record_status(State.SKIPPED, Reason.CONTENT_TOO_LONG) == "INVALID_MESSAGE"
    assert record_status(State.SENT, Reason.NONE) == "PENDING"
    assert record_status(State.DELIVERED, Reason.NONE) == "DELIVERED"


def test_an_accepted_campaign_mail_is_sent_delivered_and_counted_for_its_campaign() -> None:
    told = Told("m1", "e1", "u1", "a@b.example", State.SENT, Reason.NONE, "", 0, "", {"k": "v"})
    found = happenings_of(told, "EMAIL", NOW, campaign=True, delivers=True)
    assert [one.event_type for one in found] == [
        "_email.send",
        "_email.delivered",
        "_campaign.send",
    ]
    assert found[0].attributes == {"message_id": "m1", "customer_context": '{"k": "v"}'}
    assert found[2].attributes == {
        "message_id": "m1",
        "delivery_type": "EMAIL",
        "campaign_send_status": "SUCCESS",
    }
    direct = happenings_of(told, "EMAIL", NOW, campaign=False, delivers=False)
    assert [one.event_type for one in direct] == ["_email.send"]


@pytest.mark.parametrize(
    ("state", "reason", "event"),
    [
        (State.FAILED, Reason.HARD_BOUNCE, "_email.hardbounce"),
        (State.FAILED, Reason.RETRIES_EXHAUSTED, "_email.softbounce"),
        (State.FAILED, Reason.PERMANENT_FAILURE, "_email.rejected"),
        (State.FAILED, Reason.PROVIDER_REJECTED_SENDER, "_email.rejected"),
        (State.SKIPPED, Reason.SUPPRESSED, "_email.hardbounce"),
    ],
)
def test_a_mail_that_ends_at_the_door_was_sent_first(
    state: State, reason: Reason, event: str
) -> None:
    told = Told("m1", "e1", "", "a@b.example", state, reason, "550 no", 0, "", {"k": "v"})
    sent, ended = happenings_of(told, "EMAIL", NOW, campaign=False, delivers=True)
    assert (sent.event_type, ended.event_type) == ("_email.send", event)
    assert sent.attributes == {"message_id": "m1", "customer_context": '{"k": "v"}'}
    assert ended.attributes == {**sent.attributes, "feedback": "550 no"}
    assert sent.subject_id == ended.subject_id == "m1"
    # A late report is about a mail whose send was told long before.
    assert receipt_happening(told, "EMAIL", NOW) == [ended]


@pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.RENDERING_FAILURE, Reason.OPT_OUT])
def test_a_mail_that_no_server_saw_was_not_sent(reason: Reason) -> None:
    told = Told("m1", "e1", "", "a@b.example", State.SKIPPED, reason, "", 0, "")
    found = happenings_of(told, "EMAIL", NOW, campaign=True, delivers=True)
    assert "_email.send" not in {one.event_type for one in found}


def test_a_complaint_carries_the_context() -> None:
    told = Told("m1", "e1", "", "a@b.example", State.SENT, Reason.NONE, "", 0, "", {"k": "v"})
    assert complaint_happening(told, NOW).attributes == {
        "message_id": "m1",
        "customer_context": '{"k": "v"}',
        "feedback": "complaint",
    }


def test_sms_events_carry_the_attributes_of_the_spec() -> None:
    told = Told("m1", "e1", "", "+4915112345678", State.SENT, Reason.NONE, "", 3, "+15550001")
    (found,) = happenings_of(told, "SMS", NOW, campaign=False, delivers=True)
    assert found.attributes == {
        "message_id": "m1",
        "origination_phone_number": "+15550001",
        "destination_phone_number": "+4915112345678",
        "record_status": "PENDING",
        "number_of_message_parts": "3",
        "iso_country_code": "DE",
    }


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+12065550142", "US"),
        ("+14165550142", "CA"),
        ("+447400123456", "GB"),
        ("+447911123456", "GG"),
        ("+4915112345678", "DE"),
        ("+919876543210", "IN"),
        ("+999", ""),
        ("", ""),
    ],
)
def test_countries(number: str, country: str) -> None:
    assert country_of(number) == country


def test_shared_attributes_name_the_campaign_or_the_request() -> None:
    campaign = shared_attributes(Origin("app", "c1", "a1"), "0", "PROMOTIONAL")
    assert campaign == {
        "message_type": "PROMOTIONAL",
        "campaign_id": "c1",
        "campaign_activity_id": "a1",
        "treatment_id": "0",
    }
    direct = shared_attributes(Origin("app", request_id="r1"), "0", "TRANSACTIONAL")
    assert direct == {"message_type": "TRANSACTIONAL", "sender_request_id": "r1"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("DELIVRD", (State.DELIVERED, Reason.NONE, "")),
        ("UNDELIV", (State.FAILED, Reason.UNREACHABLE, "UNDELIV 001")),
        ("EXPIRED", (State.FAILED, Reason.EXPIRED, "EXPIRED 001")),
        ("REJECTD", (State.FAILED, Reason.CARRIER_BLOCKED, "REJECTD 001")),
        ("ACCEPTD", None),
        ("ENROUTE", None),
    ],
)
def test_sms_receipts(state: str, expected: tuple[State, Reason, str] | None) -> None:
    receipt = sms_receipt(PartReceipt("p1", state, "001"))
    found = None if receipt is None else (receipt.state, receipt.reason, receipt.detail)
    assert found == expected


def test_bounces() -> None:
    hard = bounce_receipt(MailReport("m", "bounce", "5.1.1", "smtp; 550 no"))
    soft = bounce_receipt(MailReport("m", "bounce", "4.2.2"))
    assert hard is not None
    assert soft is not None
    assert (hard.reason, hard.detail) == (Reason.HARD_BOUNCE, "smtp; 550 no")
    assert (soft.reason, soft.detail) == (Reason.SOFT_BOUNCE, "4.2.2")
    assert bounce_receipt(MailReport("m", "bounce", "4.4.1", is_final=False)) is None
    assert bounce_receipt(MailReport("m", "complaint")) is None


@pytest.mark.parametrize(
    ("code", "text", "where", "status", "reason"),
    [
        (550, "5.1.1 no such user", "recipient", Status.PERMANENT_FAILURE, Reason.HARD_BOUNCE),
        (550, "unknown", "recipient", Status.PERMANENT_FAILURE, Reason.HARD_BOUNCE),
        (550, "5.7.1 blocked", "recipient", Status.PERMANENT_FAILURE, Reason.PERMANENT_FAILURE),
        (554, "5.2.1 disabled", "recipient", Status.PERMANENT_FAILURE, Reason.HARD_BOUNCE),
        (552, "too big", "recipient", Status.PERMANENT_FAILURE, Reason.PERMANENT_FAILURE),
        (550, "no", "sender", Status.PERMANENT_FAILURE, Reason.PROVIDER_REJECTED_SENDER),
        (554, "spam", "data", Status.PERMANENT_FAILURE, Reason.PERMANENT_FAILURE),
        (450, "4.2.0 busy", "recipient", Status.TEMPORARY_FAILURE, Reason.NONE),
        (451, "4.7.1 Rate limit exceeded", "recipient", Status.THROTTLED, Reason.NONE),
        (421, "4.3.2 closing", "data", Status.TEMPORARY_FAILURE, Reason.NONE),
    ],
)
def test_smtp_replies(code: int, text: str, where: str, status: Status, reason: Reason) -> None:
    answer = smtp_replies.refused(
        code, text, of_recipient=where == "recipient", of_sender=where == "sender"
    )
    assert (answer.status, answer.reason, answer.detail) == (status, reason, f"{code} {text}")


def test_queue_ids_are_kept() -> None:
    assert smtp_replies.accepted("2.0.0 OK: queued as A1B2").provider_ids == ("A1B2",)
    assert smtp_replies.accepted("2.0.0 OK").provider_ids == ()


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (CommandStatus.ESME_RTHROTTLED, Status.THROTTLED, Reason.NONE),
        (CommandStatus.ESME_RMSGQFUL, Status.THROTTLED, Reason.NONE),
        (CommandStatus.ESME_RSYSERR, Status.TEMPORARY_FAILURE, Reason.NONE),
        (CommandStatus.ESME_RINVDSTADR, Status.PERMANENT_FAILURE, Reason.INVALID_ADDRESS),
        (CommandStatus.ESME_RINVSRCADR, Status.PERMANENT_FAILURE, Reason.PROVIDER_REJECTED_SENDER),
        (CommandStatus.ESME_RX_P_APPN, Status.PERMANENT_FAILURE, Reason.PERMANENT_FAILURE),
        (CommandStatus.ESME_RX_R_APPN, Status.PERMANENT_FAILURE, Reason.CARRIER_BLOCKED),
        (0x412, Status.PERMANENT_FAILURE, Reason.PERMANENT_FAILURE),
    ],
)
def test_smpp_statuses(code: int, status: Status, reason: Reason) -> None:
    answer = smpp_statuses.refused(code)
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.detail
