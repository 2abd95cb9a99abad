"""The settings of push and voice channels."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, cast

from grpc import aio
from touchpoint.messaging.v1 import channels_service_pb2 as pb

from libs.clock import Clock
from libs.errors import ResourceNotFound, Violations
from services.messaging.domain import push_channels
from services.messaging.domain.families import APNS_TYPES
from services.messaging.domain.push_channels import (
    AdmChannel,
    ApnsChannel,
    BaiduChannel,
    GcmChannel,
    with_facts,
)
from services.messaging.domain.voice_channel import VoiceChannel, check_voice
from services.messaging.servicer import flat_channel_mapping as mapping
from services.messaging.servicer.names import CHANNELS
from services.messaging.store.channels import ChannelStore, Shown
from services.messaging.store.flat_channels import FlatChannel

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
C = TypeVar("C", bound=FlatChannel)
Check = Callable[[C, frozenset[str]], Violations]
_APNS_RULE: Final = f"must be one of {', '.join(APNS_TYPES)}"


class FlatChannels:
    """Those RPCs of `ChannelsService` whose channels are one flat value each."""

    _channels: ChannelStore
    _clock: Clock

    async def GetApnsChannel(
        self, request: pb.GetApnsChannelRequest, _: Context
    ) -> pb.GetApnsChannelResponse:
        shown = await self._shown(request, _apns_type(request))
        told = mapping.apns_to_proto(shown, cast(ApnsChannel, shown.channel))
        return pb.GetApnsChannelResponse(apns_channel=told)

    async def UpdateApnsChannel(
        self, request: pb.UpdateApnsChannelRequest, _: Context
    ) -> pb.UpdateApnsChannelResponse:
        channel, now = mapping.apns_from_proto(request.apns_channel), self._clock.now()
        shown = await self._update(
            request,
            (_apns_type(request), "apns_channel"),
            channel,
            lambda given, kept: push_channels.check_apns(given, kept, now),
        )
        told = mapping.apns_to_proto(shown, cast(ApnsChannel, shown.channel))
        return pb.UpdateApnsChannelResponse(apns_channel=told)

    async def GetGcmChannel(
        self, request: pb.GetGcmChannelRequest, _: Context
    ) -> pb.GetGcmChannelResponse:
        shown = await self._shown(request, "GCM")
        told = mapping.gcm_to_proto(shown, cast(GcmChannel, shown.channel))
        return pb.GetGcmChannelResponse(gcm_channel=told)

    async def UpdateGcmChannel(
        self, request: pb.UpdateGcmChannelRequest, _: Context
    ) -> pb.UpdateGcmChannelResponse:
        given = request.gcm_channel
        api_key, method = given.api_key, given.default_authentication_method
        shown = await self._update(
            request,
            ("GCM", "gcm_channel"),
            mapping.gcm_from_proto(given),
            lambda channel, kept: push_channels.check_gcm(channel, kept, api_key, method),
        )
        told = mapping.gcm_to_proto(shown, cast(GcmChannel, shown.channel))
        return pb.UpdateGcmChannelResponse(gcm_channel=told)

    async def GetAdmChannel(
        self, request: pb.GetAdmChannelRequest, _: Context
    ) -> pb.GetAdmChannelResponse:
        shown = await self._shown(request, "ADM")
        told = mapping.adm_to_proto(shown, cast(AdmChannel, shown.channel))
        return pb.GetAdmChannelResponse(adm_channel=told)

    async def UpdateAdmChannel(
        self, request: pb.UpdateAdmChannelRequest, _: Context
    ) -> pb.UpdateAdmChannelResponse:
        channel = mapping.adm_from_proto(request.adm_channel)
        place = ("ADM", "adm_channel")
        shown = await self._update(request, place, channel, push_channels.check_adm)
        told = mapping.adm_to_proto(shown, cast(AdmChannel, shown.channel))
        return pb.UpdateAdmChannelResponse(adm_channel=told)

    async def GetBaiduChannel(
        self, request: pb.GetBaiduChannelRequest, _: Context
    ) -> pb.GetBaiduChannelResponse:
        shown = await self._shown(request, "BAIDU")
        told = mapping.baidu_to_proto(shown, cast(BaiduChannel, shown.channel))
        return pb.GetBaiduChannelResponse(baidu_channel=told)

    async def UpdateBaiduChannel(
        self, request: pb.UpdateBaiduChannelRequest, _: Context
    ) -> pb.UpdateBaiduChannelResponse:
        channel = mapping.baidu_from_proto(request.baidu_channel)
        place = ("BAIDU", "baidu_channel")
        shown = await self._update(request, place, channel, push_channels.check_baidu)
        told = mapping.baidu_to_proto(shown, cast(BaiduChannel, shown.channel))
        return pb.UpdateBaiduChannelResponse(baidu_channel=told)

    async def GetVoiceChannel(
        self, request: pb.GetVoiceChannelRequest, _: Context
    ) -> pb.GetVoiceChannelResponse:
        shown = await self._shown(request, "VOICE")
        told = mapping.voice_to_proto(shown, cast(VoiceChannel, shown.channel))
        return pb.GetVoiceChannelResponse(voice_channel=told)

    async def UpdateVoiceChannel(
        self, request: pb.UpdateVoiceChannelRequest, _: Context
    ) -> pb.UpdateVoiceChannelResponse:
        channel = mapping.voice_from_proto(request.voice_channel)
        place = ("VOICE", "voice_channel")
        shown = await self._update(request, place, channel, check_voice)
        told = mapping.voice_to_proto(shown, cast(VoiceChannel, shown.channel))
        return pb.UpdateVoiceChannelResponse(voice_channel=told)

    async def _shown(self, request: Any, channel_type: str) -> Shown:  # noqa: ANN401 - any Get
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.check(channel_type, "channel_type", _APNS_RULE)
        found.raise_if_any()
        shown = await self._channels.shown(request.application_id, channel_type)
        if shown is None:
            raise ResourceNotFound("channel", channel_type)
        return shown

    async def _update(
        self,
        request: Any,  # noqa: ANN401 - any Update
        place: tuple[str, str],
        channel: C,
        check: Check[C],
    ) -> Shown:
        app_id, (channel_type, field) = request.application_id, place
        found = Violations()
        found.check(app_id, "application_id", "is needed")
        found.check(channel_type, "channel_type", _APNS_RULE)
        before = await self._channels.shown(app_id, channel_type) if not found.found else None
        found.extend(check(channel, before.kept if before else frozenset()).found, field)
        found.raise_if_any()
        made: FlatChannel = channel
        if not isinstance(made, VoiceChannel):
            known = before.channel if before else None
            made = with_facts(made, known if not isinstance(known, VoiceChannel) else None)
        return await self._channels.save(app_id, channel_type, made, self._clock.now())


def _apns_type(request: pb.GetApnsChannelRequest | pb.UpdateApnsChannelRequest) -> str:
    """The channel type asked for; empty when it is none of Apple's."""
    name = CHANNELS.name(request.channel_type)
    return name if name in APNS_TYPES else ""
