"""An operation of the table, from a checked request to its answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc import aio

from services.rest.clients import Rpc, Services, refusal, rpc_of
from services.rest.domain.decoding import Decoder, Field, enum_prefix
from services.rest.domain.encoding import Encoder, Occasion
from services.rest.domain.failures import Failure, bad_request, not_built, of_status
from services.rest.domain.fillers import FILLERS, accepted
from services.rest.domain.model import Action
from services.rest.domain.naming import member
from services.rest.domain.operations import ACCEPTED, WITHOUT_EFFECT, Operation
from services.rest.domain.validation import faults

Json = Any
_MOST_FAULTS: Final = 20


@dataclass(frozen=True, slots=True)
class Request:
    """An operation that was asked for, by a verified key."""

    action: Action
    parameters: Mapping[str, str]  # of path and query, by wire name
    body: Json
    access_key_id: str
    occasion: Occasion
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of the query, repeated ones


Way = Callable[["Calls", Request, Operation], Awaitable[Json]]


class Calls:
    """Serves the operations of a table."""

    def __init__(
        self, services: Services, operations: Mapping[str, Operation], ways: Mapping[str, Way]
    ) -> None:
        self._services = services
        self._operations = operations
        self._ways = ways
        self._rpcs = {name: rpc_of(row.rpc) for name, row in operations.items()}

    async def serve(self, request: Request) -> Json:
        """The answer's body. Raises Failure."""
        row = self._operations.get(request.action.name)
        if row is None:
            raise not_built(request.action.name)
        if row.way:
            return await self._ways[row.way](self, request, row)
        return self.encoded(request, row, await self.answer(request, row))

    async def answer(self, request: Request, row: Operation) -> Message:
        """The message with which the RPC of the row answers."""
        rpc = self._rpcs[request.action.name]
        message = rpc.request()
        if row.base:
            await self._start_from(message, request, row)
        self._fill(message, request, row)
        return await self.call(rpc, message, request)

    async def call(self, rpc: Rpc, message: Message, request: Request) -> Message:
        """One RPC with the rights of the request's key. Raises Failure."""
        try:
            return await self._services.call(rpc, message, request.access_key_id)
        except aio.AioRpcError as error:
            row = self._operations[request.action.name]
            raise _failure(error, request.action, row) from error

    def encoded(self, request: Request, row: Operation, answer: Message) -> Json:
        """The part of the answer that the row names, in the model's shape."""
        shape = request.action.answer
        if row.answer == ACCEPTED:
            return accepted(request.occasion)
        if shape is None:
            return None
        part = getattr(answer, row.answer) if row.answer else answer
        return Encoder(request.occasion, FILLERS, row.inside).structure(part, shape)

    async def current(self, request: Request, row: Operation) -> Message | None:
        """What the base RPC of the row tells; None when there is nothing yet."""
        base = rpc_of(row.base)
        message = base.request()
        _fill_parameters(Decoder(), message, request, row)
        # The base need not be told all that the RPC is.
        known = message.DESCRIPTOR.fields_by_name
        fixed = {path: value for path, value in row.fixed.items() if path in known}
        _fill_fixed(message, replace(row, fixed=fixed))
        try:
            told = await self._services.call(base, message, request.access_key_id)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise _failure(error, request.action, row) from error
        part: Message = getattr(told, row.answer)
        return part

    async def _start_from(self, message: Message, request: Request, row: Operation) -> None:
        known = await self.current(request, row)
        if known is not None:
            getattr(message, row.body).CopyFrom(known)

    def _fill(self, message: Message, request: Request, row: Operation) -> None:
        decoder = Decoder(row.inside)
        _fill_parameters(decoder, message, request, row)
        _fill_fixed(message, row)
        self._fill_body(decoder, message, request, row)
        if decoder.wrong:
            raise bad_request("; ".join(decoder.wrong[:_MOST_FAULTS]))
        unknown = [p for p in decoder.unknown if p.rpartition(".")[2] not in WITHOUT_EFFECT]
        if unknown:
            raise not_built(", ".join(unknown[:_MOST_FAULTS]))

    def _fill_body(
        self, decoder: Decoder, message: Message, request: Request, row: Operation
    ) -> None:
        if request.action.payload is None:
            return
        name, shape = request.action.payload
        found = faults(request.body, shape)
        if found:
            raise bad_request(f"{name}: " + "; ".join(found[:_MOST_FAULTS]))
        target = getattr(message, row.body) if row.body else message
        if row.body:
            target.SetInParent()
        decoder.structure(request.body, shape, target)


def _fill_parameters(decoder: Decoder, message: Message, request: Request, row: Operation) -> None:
    action = request.action
    for parameter in (*action.path_parameters, *action.query_parameters):
        value = request.parameters.get(parameter.wire_name)
        if value is None or parameter.member in row.without_effect:
            if parameter.required and value is None:
                raise bad_request(f"{parameter.member}: is missing")
            continue
        where = row.parameters.get(parameter.member)
        if where:
            decoder.at(where, value, parameter.shape, message, parameter.member)
        else:
            decoder.parameter(parameter.member, value, message)


def _fill_fixed(message: Message, row: Operation) -> None:
    for path, value in row.fixed.items():
        *owners, last = path.split(".")
        target = message
        for owner in owners:
            target = getattr(target, owner)
        kind: Field = target.DESCRIPTOR.fields_by_name[last].enum_type
        setattr(target, last, kind.values_by_name[enum_prefix(kind) + value].number)


def own_path(path: str, row: Operation) -> str:
    """A field's path as it is from the body on."""
    for prefix in (row.body, row.inside):
        path = path.removeprefix(f"{prefix}.") if prefix else path
    return path


def _failure(error: aio.AioRpcError, action: Action, row: Operation) -> Failure:
    told = refusal(error)
    message = told.message
    if told.violations:
        named = [f"{member(own_path(name, row))}: {why}" for name, why in told.violations]
        message = "; ".join(named[:_MOST_FAULTS])
    return of_status(
        told.code,
        message,
        action.errors,
        too_large=told.reason == "PAYLOAD_TOO_LARGE",
        retry_seconds=told.retry_seconds,
    )
