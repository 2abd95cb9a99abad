"""Labels over RPC, on a store in memory that others write to in between."""

from collections.abc import Mapping

import pytest
from touchpoint.common.v1 import tags_service_pb2 as pb

from libs.chassis.tags import TagsServicer
from libs.errors import InvalidFields, VersionConflict


class Memory:
    """Labels of one resource; the first `rivals` replacements find another writer's label."""

    def __init__(self, tags: Mapping[str, str], rivals: int = 0) -> None:
        self.tags = dict(tags)
        self.rivals = rivals

    async def read(self, app_id: str, resource_id: str) -> dict[str, str]:  # noqa: ARG002
        return dict(self.tags)

    async def replace(
        self,
        app_id: str,  # noqa: ARG002
        resource_id: str,  # noqa: ARG002
        before: Mapping[str, str],
        after: Mapping[str, str],
    ) -> bool:
        if self.rivals:
            self.rivals -= 1
            self.tags[f"rival-{self.rivals}"] = "x"
        if self.tags != before:
            return False
        self.tags = dict(after)
        return True


async def _tag(memory: Memory, tags: Mapping[str, str]) -> Mapping[str, str]:
    answer = await TagsServicer(memory).TagResource(pb.TagResourceRequest(tags=tags), None)
    return answer.tags


async def test_a_label_beside_another_writers_loses_neither() -> None:
    memory = Memory({"old": "1"}, rivals=2)
    assert await _tag(memory, {"new": "2"}) == {
        "old": "1",
        "new": "2",
        "rival-1": "x",
        "rival-0": "x",
    }


async def test_writers_that_never_rest_are_a_conflict() -> None:
    with pytest.raises(VersionConflict):
        await _tag(Memory({}, rivals=100), {"new": "2"})


async def test_fifty_labels_fit_and_no_more() -> None:
    memory = Memory({f"key-{n}": "x" for n in range(49)})
    await _tag(memory, {"one-more": "x"})
    await _tag(memory, {"one-more": "changed"})
    with pytest.raises(InvalidFields):
        await _tag(memory, {"too-much": "x"})
    assert len(memory.tags) == 50


async def test_every_bad_label_is_named() -> None:
    with pytest.raises(InvalidFields) as caught:
        await _tag(Memory({}), {"aws:x": "1", "k" * 129: "2", "long": "v" * 257})
    assert {violation.field for violation in caught.value.violations} == {
        "tags[aws:x]",
        f"tags[{'k' * 20}]",
        "tags[long]",
    }


async def test_taking_off_what_is_not_there_changes_nothing() -> None:
    memory = Memory({"a": "1", "b": "2"})
    request = pb.UntagResourceRequest(tag_keys=["b", "c"])
    answer = await TagsServicer(memory).UntagResource(request, None)
    assert dict(answer.tags) == {"a": "1"}
    with pytest.raises(InvalidFields):
        await TagsServicer(memory).UntagResource(pb.UntagResourceRequest(), None)
