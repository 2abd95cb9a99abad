"""The RPC edge of the applications service: decode, call, encode."""

import hashlib
import secrets
from typing import Any

from touchpoint.applications.v1 import application_pb2 as resource
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc
from touchpoint.common.v1 import access_pb2, channel_pb2

from libs.chassis import context
from libs.clock import Clock
from libs.errors import QuotaExceeded
from libs.ids import new_id
from libs.mongo.paging import Pager, page_size
from libs.timestamps import to_timestamp
from libs.vault import Vault
from services.applications import domain
from services.applications.clients import EventPublisher
from services.applications.store import ApplicationStore, KeyStore

Call = Any  # grpc.aio's context; nothing here needs it
_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class ApplicationsServicer(rpc.ApplicationsServiceServicer):
    """Applications and their settings."""

    def __init__(
        self,
        store: ApplicationStore,
        keys: KeyStore,
        events: EventPublisher,
        pager: Pager,
        clock: Clock,
        most_applications: int,
    ) -> None:
        self._store = store
        self._keys = keys
        self._events = events
        self._pager = pager
        self._clock = clock
        self._most = most_applications

    async def CreateApplication(
        self, request: pb.CreateApplicationRequest, _: Call
    ) -> pb.CreateApplicationResponse:
        application = domain.new_application(
            new_id(), request.name, request.tags, self._clock.now()
        )
        if await self._store.count() >= self._most:
            raise QuotaExceeded("applications", self._most)
        await self._store.add(application, domain.initial_settings(application))
        return pb.CreateApplicationResponse(application=_application(application))

    async def GetApplication(
        self, request: pb.GetApplicationRequest, _: Call
    ) -> pb.GetApplicationResponse:
        application = await self._store.get(request.application_id)
        return pb.GetApplicationResponse(application=_application(application))

    async def ListApplications(
        self, request: pb.ListApplicationsRequest, _: Call
    ) -> pb.ListApplicationsResponse:
        mine = sorted(context.principal().application_ids)
        size = page_size(request.page_size)
        after = self._pager.last(["applications", mine], request.page_token)
        found = await self._store.page(mine, after, size + 1)
        page = found[:size]
        last = (page[-1].create_time, page[-1].application_id) if len(found) > size else None
        return pb.ListApplicationsResponse(
            applications=[_application(application) for application in page],
            next_page_token=self._pager.token(["applications", mine], last),
        )

    async def DeleteApplication(
        self, request: pb.DeleteApplicationRequest, _: Call
    ) -> pb.DeleteApplicationResponse:
        application = await self._store.get(request.application_id)
        # Told first: a crash in between leaves an application that can be deleted again.
        await self._events.application_deleted(request.application_id)
        await self._keys.delete_for_application(request.application_id)
        await self._store.delete(request.application_id)
        return pb.DeleteApplicationResponse(application=_application(application))

    async def GetApplicationSettings(
        self, request: pb.GetApplicationSettingsRequest, _: Call
    ) -> pb.GetApplicationSettingsResponse:
        settings = await self._store.settings(request.application_id)
        return pb.GetApplicationSettingsResponse(settings=_settings(settings))

    async def UpdateApplicationSettings(
        self, request: pb.UpdateApplicationSettingsRequest, _: Call
    ) -> pb.UpdateApplicationSettingsResponse:
        before = await self._store.settings(request.application_id)
        after = domain.changed_settings(before, _change(request.settings), self._clock.now())
        await self._store.save_settings(after)
        return pb.UpdateApplicationSettingsResponse(settings=_settings(after))


class ApiKeysServicer(rpc.ApiKeysServiceServicer):
    """The keys that open applications."""

    def __init__(self, keys: KeyStore, vault: Vault, pager: Pager, clock: Clock) -> None:
        self._keys = keys
        self._vault = vault
        self._pager = pager
        self._clock = clock

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, _: Call
    ) -> pb.CreateApiKeyResponse:
        access_key_id = "TP" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(18))
        wanted = domain.KeyRequest(
            request.description,
            access_pb2.Role.Name(request.role).removeprefix("ROLE_"),
            tuple(request.application_ids),
            request.valid_days,
        )
        mine = sorted(context.principal().application_ids)
        key = domain.new_key(access_key_id, wanted, mine, self._clock.now())
        secret = secrets.token_urlsafe(30)
        await self._keys.add(key, *sealed(self._vault, access_key_id, secret))
        return pb.CreateApiKeyResponse(api_key=_key(key), secret_access_key=secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, _: Call) -> pb.ListApiKeysResponse:
        mine = sorted(context.principal().application_ids)
        size = page_size(request.page_size)
        after = self._pager.last(["keys", mine], request.page_token)
        found = await self._keys.page(mine, after, size + 1)
        page = found[:size]
        last = (page[-1].create_time, page[-1].access_key_id) if len(found) > size else None
        return pb.ListApiKeysResponse(
            api_keys=[_key(key) for key in page],
            next_page_token=self._pager.token(["keys", mine], last),
        )

    async def UpdateApiKey(
        self, request: pb.UpdateApiKeyRequest, _: Call
    ) -> pb.UpdateApiKeyResponse:
        await self._own(request.access_key_id)
        key = await self._keys.set_disabled(request.access_key_id, disabled=request.disabled)
        return pb.UpdateApiKeyResponse(api_key=_key(key))

    async def DeleteApiKey(
        self, request: pb.DeleteApiKeyRequest, _: Call
    ) -> pb.DeleteApiKeyResponse:
        await self._own(request.access_key_id)
        await self._keys.delete(request.access_key_id)
        return pb.DeleteApiKeyResponse()

    async def ResolveApiKey(
        self, request: pb.ResolveApiKeyRequest, _: Call
    ) -> pb.ResolveApiKeyResponse:
        key, secret_hash = await self._keys.resolve(request.access_key_id)
        return pb.ResolveApiKeyResponse(api_key=_key(key), secret_hash=secret_hash)

    async def ResolveSigningKey(
        self, request: pb.ResolveSigningKeyRequest, _: Call
    ) -> pb.ResolveSigningKeyResponse:
        key, ciphertext = await self._keys.sealed_secret(request.access_key_id)
        secret = self._vault.decrypt(ciphertext, key.access_key_id)
        return pb.ResolveSigningKeyResponse(api_key=_key(key), secret_access_key=secret)

    async def _own(self, access_key_id: str) -> None:
        mine = context.principal().application_ids
        key, _ = await self._keys.resolve(access_key_id)
        if mine:
            domain.check_key_inside(key, mine)


def sealed(vault: Vault, access_key_id: str, secret: str) -> tuple[bytes, str]:
    """Hash and ciphertext of a secret, as they are kept."""
    return hashlib.sha256(secret.encode()).digest(), vault.encrypt(secret, access_key_id)


def _application(application: domain.Application) -> resource.Application:
    return resource.Application(
        application_id=application.application_id,
        name=application.name,
        tags=application.tags,
        create_time=to_timestamp(application.create_time),
    )


def _settings(settings: domain.ApplicationSettings) -> resource.ApplicationSettings:
    encoded = resource.ApplicationSettings(
        application_id=settings.application_id,
        on_missing_variable=resource.MissingVariablePolicy.Value(
            f"MISSING_VARIABLE_POLICY_{settings.on_missing_variable}"
        ),
        timezone=settings.timezone,
        update_time=to_timestamp(settings.update_time),
    )
    if limits := settings.limits:
        encoded.limits.CopyFrom(
            channel_pb2.CampaignLimits(
                daily=limits.daily,
                total=limits.total,
                session=limits.session,
                messages_per_second=limits.messages_per_second,
                maximum_duration=limits.maximum_duration,
            )
        )
    if quiet := settings.quiet_time:
        encoded.quiet_time.CopyFrom(channel_pb2.QuietTime(start=quiet.start, end=quiet.end))
    return encoded


def _change(given: resource.ApplicationSettings) -> domain.SettingsChange:
    limits, quiet, policy = given.limits, given.quiet_time, given.on_missing_variable
    name = resource.MissingVariablePolicy.Name(policy).removeprefix("MISSING_VARIABLE_POLICY_")
    return domain.SettingsChange(
        limits=domain.Limits(
            limits.daily,
            limits.total,
            limits.session,
            limits.messages_per_second,
            limits.maximum_duration,
        )
        if given.HasField("limits")
        else None,
        quiet_time=domain.QuietTime(quiet.start, quiet.end)
        if given.HasField("quiet_time")
        else None,
        on_missing_variable=name if policy else None,
        timezone=given.timezone or None,
    )


def _key(key: domain.ApiKey) -> resource.ApiKey:
    return resource.ApiKey(
        access_key_id=key.access_key_id,
        description=key.description,
        role=access_pb2.Role.Value(f"ROLE_{key.role}"),
        application_ids=key.application_ids,
        create_time=to_timestamp(key.create_time),
        expire_time=to_timestamp(key.expire_time),
        disabled=key.disabled,
    )
