"""Operations that are more than a row: named one by one, each with its reason."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from google.protobuf.message import Message

from services.rest.clients import rpc_of
from services.rest.domain.arns import labelled
from services.rest.domain.decoding import Field, enum_prefix
from services.rest.domain.encoding import Encoder
from services.rest.domain.failures import Failure, bad_request
from services.rest.domain.fillers import FILLERS, accepted
from services.rest.domain.operations import Operation
from services.rest.domain.validation import faults
from services.rest.usecases.calls import Calls, Json, Request, Way

_MOST_NAMED: Final = 20


async def channels(calls: Calls, request: Request, row: Operation) -> Json:
    """The model has a map by channel type where we have a list."""
    answer: Any = await calls.answer(request, row)
    shape: Any = request.action.answer
    encoder = Encoder(request.occasion, FILLERS)
    one = shape.members["Channels"].value
    made = {_name(channel): encoder.structure(channel, one) for channel in answer.channels}
    return {"Channels": {name: {**told, "Id": name.lower()} for name, told in made.items()}}


def _name(channel: Any) -> str:  # noqa: ANN401 - a ChannelStatus
    kind: Field = channel.DESCRIPTOR.fields_by_name["channel_type"].enum_type
    name: str = kind.values_by_number[channel.channel_type].name
    return name.removeprefix(enum_prefix(kind))


async def delete_channel(calls: Calls, request: Request, row: Operation) -> Json:
    """The model answers with the channel as it was; our RPC answers with what remains of it."""
    before = await calls.current(request, row)
    plain = Operation(row.rpc, fixed=row.fixed)
    await calls.answer(request, plain)
    shape: Any = request.action.answer
    return Encoder(request.occasion, FILLERS).structure(_given(before), shape)


async def endpoints_batch(calls: Calls, request: Request, row: Operation) -> Json:
    """The model accepts a batch whole; we know each item's fate, and tell it."""
    answer: Any = await calls.answer(request, row)
    refused = [
        f"Item[{index}] {one.endpoint_id}: {one.message}"
        for index, one in enumerate(answer.results)
        if one.status_code >= 400
    ]
    if refused:
        told = "; ".join(refused[:_MOST_NAMED])
        raise Failure("BadRequestException", 400, f"{told} (all other items were stored)")
    return accepted(request.occasion)


async def list_tags(calls: Calls, request: Request, row: Operation) -> Json:
    """Labels are kept by the service of the resource, which its name tells."""
    return {"tags": dict((await _tagged(calls, request, row)).tags)}


async def tag_resource(calls: Calls, request: Request, row: Operation) -> None:
    """As `list_tags`; the model answers with nothing."""
    name, shape = _payload(request)
    found = faults(request.body, shape)
    if found:
        raise bad_request(f"{name}: " + "; ".join(found[:_MOST_NAMED]))
    await _tagged(calls, request, row, tags=request.body["tags"])


async def untag_resource(calls: Calls, request: Request, row: Operation) -> None:
    """As `tag_resource`; the keys stand in the query, one parameter each."""
    await _tagged(calls, request, row, tag_keys=request.lists.get("tagKeys", ()))


async def _tagged(calls: Calls, request: Request, row: Operation, **more: Any) -> Any:  # noqa: ANN401 - of any of the three RPCs
    found = labelled(request.parameters["resource-arn"])
    if found is None:
        raise bad_request("ResourceArn: does not name an app, a segment, a campaign or a template")
    rpc = replace(rpc_of(row.rpc), service=found.service)
    ids = {"application_id": found.application_id, "resource_id": found.resource_id}
    return await calls.call(rpc, rpc.request(**ids, **more), request)


def _payload(request: Request) -> tuple[str, Any]:
    if request.action.payload is None:
        raise bad_request("the operation has no body")
    return request.action.payload


def _given(message: Message | None) -> Message:
    if message is None:  # the RPC after it has refused by now
        raise Failure("NotFoundException", 404, "there is no such channel")
    return message


WAYS: Final[Mapping[str, Way]] = {
    "channels": channels,
    "delete_channel": delete_channel,
    "endpoints_batch": endpoints_batch,
    "list_tags": list_tags,
    "tag_resource": tag_resource,
    "untag_resource": untag_resource,
}
