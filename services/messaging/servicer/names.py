"""Enum values of the wire and their short names, which is what the domain and the ledger know."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import (
    callbacks_service_pb2,
    channels_service_pb2,
    decisions_service_pb2,
    dispatch_service_pb2,
    message_pb2,
)


class Names:
    """The two directions of one enum; value 0 is the empty name, unknown numbers too."""

    def __init__(self, descriptor: EnumDescriptor, prefix: str) -> None:
        self._names: Mapping[int, str] = {
            value.number: value.name.removeprefix(prefix) if value.number else ""
            for value in descriptor.values
        }
        self._numbers = {name: number for number, name in self._names.items()}

    def name(self, number: int) -> str:
        return self._names.get(number, "")

    # The stubs' enum types are distinct ints that only exist for the type checker.
    def number(self, name: str) -> Any:  # noqa: ANN401
        return self._numbers[name]


CHANNELS: Final = Names(channel_pb2.ChannelType.DESCRIPTOR, "CHANNEL_TYPE_")
MESSAGE_TYPES: Final = Names(channel_pb2.MessageType.DESCRIPTOR, "MESSAGE_TYPE_")
STATES: Final = Names(message_pb2.MessageState.DESCRIPTOR, "MESSAGE_STATE_")
REASONS: Final = Names(message_pb2.MessageReason.DESCRIPTOR, "MESSAGE_REASON_")
CONTROLS: Final = Names(dispatch_service_pb2.DispatchControl.DESCRIPTOR, "DISPATCH_CONTROL_")
SUPPRESSION_REASONS: Final = Names(
    channels_service_pb2.SuppressionReason.DESCRIPTOR, "SUPPRESSION_REASON_"
)
DECISION_STAGES: Final = Names(decisions_service_pb2.DecisionStage.DESCRIPTOR, "DECISION_STAGE_")
CALLBACK_SOURCES: Final = Names(callbacks_service_pb2.CallbackSource.DESCRIPTOR, "CALLBACK_SOURCE_")
