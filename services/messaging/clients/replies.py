"""Answers to inbound texts as contents and recipients of the messaging protos."""

from touchpoint.messaging.v1 import message_pb2


def reply_content(text: str, source: str) -> bytes:
    """A serialized content that says the text, from the number that was written to."""
    sms = message_pb2.SmsContent(body=text, origination_number=source)
    return message_pb2.MessageContent(sms=sms).SerializeToString(deterministic=True)


def reply_recipient(number: str) -> message_pb2.SendRecipient:
    """Whoever wrote."""
    return message_pb2.SendRecipient(address=number)
