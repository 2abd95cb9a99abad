"""`touchpoint.common.v1.TagsService` over the labels of any service's resources."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from touchpoint.common.v1 import tags_service_pb2 as pb
from touchpoint.common.v1 import tags_service_pb2_grpc as rpc

from libs.chassis.server import Service
from libs.errors import VersionConflict, Violations
from libs.labels import MOST_TAGS, check_tags

_ATTEMPTS: Final = 5
Call = Any  # grpc.aio's context; nothing here needs it


class Tags(Protocol):
    """Where labels are kept."""

    async def read(self, app_id: str, resource_id: str) -> dict[str, str]:
        """The labels by key. Raises ResourceNotFound."""
        ...

    async def replace(
        self, app_id: str, resource_id: str, before: Mapping[str, str], after: Mapping[str, str]
    ) -> bool:
        """Write `after` where `before` still stands; False when it does not."""
        ...


class TagsServicer(rpc.TagsServiceServicer):
    """Labels of one kind of resource."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    async def ListTags(self, request: pb.ListTagsRequest, _: Call) -> pb.ListTagsResponse:  # noqa: N802
        found = await self._tags.read(request.application_id, request.resource_id)
        return pb.ListTagsResponse(tags=found)

    async def TagResource(  # noqa: N802
        self, request: pb.TagResourceRequest, _: Call
    ) -> pb.TagResourceResponse:
        given = dict(request.tags)
        _check(given)
        changed = await self._change(request.application_id, request.resource_id, given, ())
        return pb.TagResourceResponse(tags=changed)

    async def UntagResource(  # noqa: N802
        self, request: pb.UntagResourceRequest, _: Call
    ) -> pb.UntagResourceResponse:
        found = Violations()
        found.check(request.tag_keys, "tag_keys", "name at least one")
        found.raise_if_any()
        keys = tuple(request.tag_keys)
        changed = await self._change(request.application_id, request.resource_id, {}, keys)
        return pb.UntagResourceResponse(tags=changed)

    async def _change(
        self, app_id: str, resource_id: str, put: Mapping[str, str], drop: tuple[str, ...]
    ) -> dict[str, str]:
        for _ in range(_ATTEMPTS):
            before = await self._tags.read(app_id, resource_id)
            after = {key: value for key, value in {**before, **put}.items() if key not in drop}
            found = Violations()
            found.check(len(after) <= MOST_TAGS, "tags", f"no more than {MOST_TAGS} on a resource")
            found.raise_if_any()
            if await self._tags.replace(app_id, resource_id, before, after):
                return after
        raise VersionConflict("tags", resource_id or app_id)


def tags_service(tags: Tags) -> Service:
    """The service as a process registers it."""
    return Service(
        "touchpoint.common.v1.TagsService",
        rpc.add_TagsServiceServicer_to_server,
        TagsServicer(tags),
    )


def _check(tags: Mapping[str, str]) -> None:
    found = Violations()
    found.check(tags, "tags", "give at least one")
    check_tags(found, "tags", tags)
    found.raise_if_any()
