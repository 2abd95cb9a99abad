"""Channels and the suppression list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message
from grpc import aio
from touchpoint.messaging.v1 import channels_service_pb2 as pb

from libs.clock import Clock
from libs.errors import (
    InvalidFields,
    NotBuilt,
    ResourceNotFound,
    StateConflict,
    Violations,
)
from libs.mongo.paging import Pager, page_size
from libs.timestamps import from_timestamp, to_timestamp
from services.messaging.domain import channels
from services.messaging.domain.recipients import EMAIL, SMS, address_fault, normalized
from services.messaging.servicer import channel_mapping as mapping
from services.messaging.servicer.domains import check_to_proto
from services.messaging.servicer.flat_channels import FlatChannels
from services.messaging.servicer.names import CHANNELS, SUPPRESSION_REASONS
from services.messaging.store.channels import ChannelStore
from services.messaging.store.flat_channels import KINDS
from services.messaging.store.suppressions import (
    ListKey,
    Suppression,
    SuppressionStore,
    suppression_key,
)
from services.messaging.usecases.domain_checking import DomainChecking

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
MOST_DESTINATIONS: Final = 1000
_SETTABLE: Final = {EMAIL, SMS, *KINDS}


class ChannelsServicer(FlatChannels):
    """`touchpoint.messaging.v1.ChannelsService`."""

    def __init__(
        self,
        store: ChannelStore,
        suppressions: SuppressionStore,
        pager: Pager,
        clock: Clock,
        checking: DomainChecking,
    ) -> None:
        self._channels = store
        self._suppressions = suppressions
        self._pager = pager
        self._clock = clock
        self._checking = checking

    async def ListChannels(
        self, request: pb.ListChannelsRequest, _: Context
    ) -> pb.ListChannelsResponse:
        _check_application(request).raise_if_any()
        found = await self._channels.statuses(request.application_id)
        return pb.ListChannelsResponse(channels=[mapping.status(one) for one in found])

    async def GetEmailChannel(
        self, request: pb.GetEmailChannelRequest, _: Context
    ) -> pb.GetEmailChannelResponse:
        _check_application(request).raise_if_any()
        found = await self._channels.shown_email(request.application_id)
        if found is None:
            raise ResourceNotFound("channel", EMAIL)
        return pb.GetEmailChannelResponse(email_channel=mapping.email_to_proto(*found))

    async def UpdateEmailChannel(
        self, request: pb.UpdateEmailChannelRequest, _: Context
    ) -> pb.UpdateEmailChannelResponse:
        found = _check_application(request)
        channel = mapping.email_from_proto(request.email_channel)
        found.extend(channels.check_email(channel).found, "email_channel")
        known = request.email_channel.smtp.security in mapping.SECURITY
        found.check(known, "email_channel.smtp.security", "is not a kind of protection")
        found.raise_if_any()
        saved = await self._channels.save_email(request.application_id, channel, self._clock.now())
        warnings = await self._checking.warnings(request.application_id)
        return pb.UpdateEmailChannelResponse(
            email_channel=mapping.email_to_proto(*saved),
            domain_warnings=[check_to_proto(one) for one in warnings],
        )

    async def GetSmsChannel(
        self, request: pb.GetSmsChannelRequest, _: Context
    ) -> pb.GetSmsChannelResponse:
        _check_application(request).raise_if_any()
        found = await self._channels.shown_sms(request.application_id)
        if found is None:
            raise ResourceNotFound("channel", SMS)
        return pb.GetSmsChannelResponse(sms_channel=mapping.sms_to_proto(*found))

    async def UpdateSmsChannel(
        self, request: pb.UpdateSmsChannelRequest, _: Context
    ) -> pb.UpdateSmsChannelResponse:
        found = _check_application(request)
        channel = mapping.sms_from_proto(request.sms_channel)
        found.extend(channels.check_sms(channel).found, "sms_channel")
        found.raise_if_any()
        saved = await self._channels.save_sms(request.application_id, channel, self._clock.now())
        return pb.UpdateSmsChannelResponse(sms_channel=mapping.sms_to_proto(*saved))

    async def DeleteChannel(
        self, request: pb.DeleteChannelRequest, _: Context
    ) -> pb.DeleteChannelResponse:
        found = _check_application(request)
        channel_type = CHANNELS.name(request.channel_type)
        found.check(channel_type, "channel_type", "is needed")
        found.raise_if_any()
        if channel_type not in _SETTABLE:
            raise NotBuilt(f"the {channel_type} channel")
        gone = await self._channels.drop(request.application_id, channel_type, self._clock.now())
        if gone is None:
            raise ResourceNotFound("channel", channel_type)
        return pb.DeleteChannelResponse(channel=mapping.status(gone))

    async def PutSuppressedDestinations(
        self, request: pb.PutSuppressedDestinationsRequest, _: Context
    ) -> pb.PutSuppressedDestinationsResponse:
        _check_destinations(request, with_reason=True)
        entries = [
            Suppression(
                CHANNELS.name(one.channel_type),
                normalized(CHANNELS.name(one.channel_type), one.address),
                SUPPRESSION_REASONS.name(one.reason),
                from_timestamp(one.suppress_time, f"destinations[{place}].suppress_time"),
            )
            for place, one in enumerate(request.destinations)
        ]
        added = await self._suppressions.suppress(entries)
        return pb.PutSuppressedDestinationsResponse(added_count=added)

    async def DeleteSuppressedDestinations(
        self, request: pb.DeleteSuppressedDestinationsRequest, _: Context
    ) -> pb.DeleteSuppressedDestinationsResponse:
        _check_destinations(request, with_reason=False)
        keys = [
            suppression_key(channel, normalized(channel, one.address))
            for one in request.destinations
            for channel in [CHANNELS.name(one.channel_type)]
        ]
        if stopped := await self._suppressions.stopped(keys):
            # Spec 7.6: what the recipient did, only the recipient takes back.
            raise StateConflict(
                "suppressed_destination",
                "STOP_KEYWORD",
                f"{len(stopped)} of the addresses said STOP; only START from there lifts it",
            )
        deleted = await self._suppressions.lift(keys)
        return pb.DeleteSuppressedDestinationsResponse(deleted_count=deleted)

    async def ListSuppressedDestinations(
        self, request: pb.ListSuppressedDestinationsRequest, _: Context
    ) -> pb.ListSuppressedDestinationsResponse:
        found = _check_application(request)
        _check_page(found, request)
        size = page_size(request.page_size)
        asked = (CHANNELS.name(request.channel_type), SUPPRESSION_REASONS.name(request.reason))
        last = self._pager.last(asked, request.page_token)
        after = _list_key(last) if last else None
        entries = await self._suppressions.page(*asked, after, size + 1)
        more = entries[size - 1] if len(entries) > size else None
        return pb.ListSuppressedDestinationsResponse(
            destinations=[_destination(one) for one in entries[:size]],
            next_page_token=self._pager.token(asked, _page_key(more)),
        )


def _check_application(request: Message) -> Violations:
    found = Violations()
    found.check(getattr(request, "application_id", ""), "application_id", "is needed")
    return found


def _check_page(found: Violations, request: pb.ListSuppressedDestinationsRequest) -> None:
    try:
        page_size(request.page_size)
    except InvalidFields as error:
        found.extend(error.violations)
    channel = CHANNELS.name(request.channel_type)
    found.check(
        not request.channel_type or channel in {EMAIL, SMS}, "channel_type", "must be EMAIL or SMS"
    )
    reason = SUPPRESSION_REASONS.name(request.reason)
    found.check(not request.reason or reason, "reason", "is not a reason")
    found.raise_if_any()


def _check_destinations(
    request: pb.PutSuppressedDestinationsRequest | pb.DeleteSuppressedDestinationsRequest,
    *,
    with_reason: bool,
) -> None:
    found = _check_application(request)
    fine = 0 < len(request.destinations) <= MOST_DESTINATIONS
    found.check(fine, "destinations", f"must be 1 to {MOST_DESTINATIONS}")
    for place, one in enumerate(request.destinations[:MOST_DESTINATIONS]):
        where, channel = f"destinations[{place}]", CHANNELS.name(one.channel_type)
        if found.check(channel in {EMAIL, SMS}, f"{where}.channel_type", "must be EMAIL or SMS"):
            fault = address_fault(channel, normalized(channel, one.address))
            found.check(not fault, f"{where}.address", fault)
        if with_reason:
            known = SUPPRESSION_REASONS.name(one.reason)
            found.check(known, f"{where}.reason", "is needed")
    found.raise_if_any()


def _list_key(last: Sequence[object]) -> ListKey:
    since, key = last
    return ListKey(since, key)  # type: ignore[arg-type]  # a page token keeps what it was given


def _page_key(last: Suppression | None) -> tuple[datetime, str] | None:
    if last is None or last.since is None:
        return None
    return last.since, suppression_key(last.channel_type, last.address)


def _destination(one: Suppression) -> pb.SuppressedDestination:
    return pb.SuppressedDestination(
        channel_type=CHANNELS.number(one.channel_type),
        address=one.address,
        reason=SUPPRESSION_REASONS.number(one.reason),
        suppress_time=to_timestamp(one.since),
    )
