"""Calls to peer services: endpoints for direct sends, templates, settings of applications."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import grpc
from grpc import aio
from touchpoint.applications.v1 import application_pb2, applications_service_pb2_grpc
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2, endpoints_service_pb2_grpc
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.templates.v1 import template_pb2, templates_service_pb2_grpc
from touchpoint.templates.v1 import templates_service_pb2 as templates_pb

from libs.errors import DependencyUnavailable
from services.messaging.domain.direct import Reached

TIMEOUT_SECONDS: Final = 5.0
SETTINGS_KEPT_SECONDS: Final = 10.0
S = TypeVar("S")
_ABSENT: Final = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})


class Peers:
    """What direct sends ask others. A channel that is None belongs to a peer that is not there."""

    def __init__(
        self,
        endpoints: aio.Channel | None,
        templates: aio.Channel | None,
        applications: aio.Channel | None,
    ) -> None:
        self._endpoints = _stub(endpoints_service_pb2_grpc.EndpointsServiceStub, endpoints)
        self._templates = _stub(templates_service_pb2_grpc.TemplatesServiceStub, templates)
        self._applications = _stub(
            applications_service_pb2_grpc.ApplicationsServiceStub, applications
        )
        self._skips: dict[str, tuple[float, bool]] = {}

    async def endpoints(self, app_id: str, endpoint_ids: Sequence[str]) -> Mapping[str, Reached]:
        """Endpoints by id in lower case; unknown ones are missing. Raises DependencyUnavailable."""
        if self._endpoints is None:
            raise DependencyUnavailable("endpoints")
        request = endpoints_pb.BatchGetEndpointsRequest(
            application_id=app_id, endpoint_ids=endpoint_ids
        )
        try:
            answer = await self._endpoints.BatchGetEndpoints(request, timeout=TIMEOUT_SECONDS)
        except aio.AioRpcError as error:
            raise DependencyUnavailable("endpoints") from error
        return {one.endpoint_id.lower(): _reached(one) for one in answer.endpoints}

    async def endpoints_of_users(
        self, app_id: str, user_ids: Sequence[str]
    ) -> Mapping[str, list[Reached]]:
        """Endpoints by user id. Raises DependencyUnavailable."""
        if self._endpoints is None:
            raise DependencyUnavailable("endpoints")
        request = endpoints_pb.BatchGetUserEndpointsRequest(
            application_id=app_id, user_ids=user_ids
        )
        try:
            answer = await self._endpoints.BatchGetUserEndpoints(request, timeout=TIMEOUT_SECONDS)
        except aio.AioRpcError as error:
            raise DependencyUnavailable("endpoints") from error
        found: dict[str, list[Reached]] = {}
        for one in answer.endpoints:
            found.setdefault(one.user.user_id, []).append(_reached(one))
        return found

    async def template(self, kind: str, name: str, version: int) -> template_pb2.Template | None:
        """A template of a kind (`EMAIL`); None when there is none. Raises DependencyUnavailable."""
        if self._templates is None:
            raise DependencyUnavailable("templates")
        request = templates_pb.GetTemplateRequest(
            template_name=name,
            template_type=template_pb2.TemplateType.Value(f"TEMPLATE_TYPE_{kind}"),
            version=version,
        )
        try:
            answer = await self._templates.GetTemplate(request, timeout=TIMEOUT_SECONDS)
        except aio.AioRpcError as error:
            if error.code() in _ABSENT:
                return None
            raise DependencyUnavailable("templates") from error
        return answer.template

    async def skips_on_missing_variable(self, app_id: str) -> bool:
        """Whether messages with a missing variable are skipped (spec 5.2); remembered a while.

        Raises DependencyUnavailable.
        """
        if self._applications is None:
            return False
        until, skips = self._skips.get(app_id, (0.0, False))
        if until < time.monotonic():
            skips = await self._asked(app_id)
            self._skips[app_id] = (time.monotonic() + SETTINGS_KEPT_SECONDS, skips)
        return skips

    async def _asked(self, app_id: str) -> bool:
        if self._applications is None:
            return False
        request = applications_pb.GetApplicationSettingsRequest(application_id=app_id)
        try:
            answer = await self._applications.GetApplicationSettings(
                request, timeout=TIMEOUT_SECONDS
            )
        except aio.AioRpcError as error:
            if error.code() in _ABSENT:
                return False
            raise DependencyUnavailable("applications") from error
        policy = answer.settings.on_missing_variable
        return policy == application_pb2.MISSING_VARIABLE_POLICY_SKIP_MESSAGE


def _stub(make: Callable[[aio.Channel], S], channel: aio.Channel | None) -> S | None:
    return None if channel is None else make(channel)


def _reached(endpoint: endpoint_pb2.Endpoint) -> Reached:
    name = channel_pb2.ChannelType.Name(endpoint.channel_type)
    return Reached(
        endpoint.endpoint_id,
        name.removeprefix("CHANNEL_TYPE_"),
        endpoint.address,
        endpoint.user.user_id,
        endpoint.opt_out == endpoint_pb2.OPT_OUT_ALL,
        endpoint.endpoint_status == endpoint_pb2.ENDPOINT_STATUS_INACTIVE,
        endpoint.SerializeToString(),
    )
