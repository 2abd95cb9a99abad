"""What Amazon's events say of messages."""

from typing import Any

import pytest

from services.messaging.domain.accounts import aws_key
from services.messaging.domain.amazon_events import mail_reports, phone_reports
from services.messaging.domain.ledger import Reason, Receipt, State
from services.messaging.domain.outbound import MailReport

ID = "0123456789abcdef0123456789abcdef"


def mail(kind: str, name: str = "eventType", tag: object = ID, **more: object) -> dict[str, Any]:
    tags = {"message-id": [tag], "ses:operation": ["SendEmail"]}
    return {name: kind, "mail": {"messageId": "0100", "tags": tags}, **more}


@pytest.mark.parametrize(
    ("told", "report"),
    [
        (mail("Send", send={}), Receipt(State.SENT, message_id=ID)),
        (mail("Delivery", delivery={}), Receipt(State.DELIVERED, message_id=ID)),
        (mail("Delivery", "notificationType"), Receipt(State.DELIVERED, message_id=ID)),
        (mail("Reject", reject={"reason": "Bad content"}),
         Receipt(State.FAILED, Reason.PERMANENT_FAILURE, "Bad content", ID)),
        (mail("Bounce", bounce={"bounceType": "Permanent", "bouncedRecipients": [
            {"status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1  user\n unknown"}]}),
         MailReport(ID, "bounce", "5.1.1", "smtp; 550 5.1.1 user unknown")),
        (mail("Bounce", bounce={"bounceType": "Permanent", "bounceSubType": "General"}),
         MailReport(ID, "bounce", "5.0.0", "General")),
        (mail("Bounce", bounce={"bounceType": "Transient", "bounceSubType": "MailboxFull",
                                "bouncedRecipients": [{"status": "5.2.2"}]}),
         MailReport(ID, "bounce", "4.2.2", "MailboxFull")),
        (mail("DeliveryDelay", deliveryDelay={"delayType": "MailboxFull",
                                              "delayedRecipients": [{"status": "4.2.2"}]}),
         MailReport(ID, "bounce", "4.2.2", "MailboxFull", is_final=False)),
        (mail("Complaint", complaint={"complaintFeedbackType": "abuse"}),
         MailReport(ID, "complaint", detail="abuse")),
        (mail("Complaint", complaint={}), MailReport(ID, "complaint", detail="abuse")),
        (mail("Complaint", complaint={"complaintFeedbackType": "other"}),
         MailReport(ID, "complaint", detail="other")),
    ],
)  # fmt: skip
def test_events_of_mails(told: dict[str, Any], report: object) -> None:
    assert mail_reports(told, "") == [report]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"eventType": "Send"},
        {"eventType": "Send", "mail": "x"},
        mail("Open", open={}),
        mail("Click", click={}),
        mail("Complaint", complaint={"complaintFeedbackType": "not-spam"}),
        mail("Send", tag=7),
        {"eventType": "Send", "mail": {"tags": {"message-id": []}}},
    ],
)
def test_what_says_nothing_of_a_mail_of_ours(told: dict[str, Any]) -> None:
    assert mail_reports(told, "") == []


def text(kind: str, **more: object) -> dict[str, Any]:
    return {"eventType": kind, "messageId": "m-1", "context": {"message-id": ID}, **more}


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("TEXT_PENDING", State.SENT, Reason.NONE),
        ("TEXT_SUCCESSFUL", State.SENT, Reason.NONE),
        ("TEXT_DELIVERED", State.DELIVERED, Reason.NONE),
        ("TEXT_INVALID", State.FAILED, Reason.INVALID_ADDRESS),
        ("TEXT_UNREACHABLE", State.FAILED, Reason.UNREACHABLE),
        ("TEXT_CARRIER_BLOCKED", State.FAILED, Reason.CARRIER_BLOCKED),
        ("TEXT_TTL_EXPIRED", State.FAILED, Reason.EXPIRED),
    ],
)
def test_events_of_texts(kind: str, state: State, reason: Reason) -> None:
    told = text(kind, messageStatusDescription="what the carrier says")
    detail = "what the carrier says" if state is State.FAILED else ""
    wanted = Receipt(state, reason, detail, ID, "m-1", aws_key("AKIA"))
    assert phone_reports(told, "AKIA") == [wanted]


@pytest.mark.parametrize(
    "told", [{}, text("TEXT_UNKNOWN"), text("TEXT_DELIVERED", context={}), text("VOICE_X")]
)
def test_what_says_nothing_of_a_text_of_ours(told: dict[str, Any]) -> None:
    assert phone_reports(told, "AKIA") == []
