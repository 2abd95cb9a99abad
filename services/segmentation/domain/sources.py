"""How segments build on each other: no circles, not too deep, not too many tests in all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from libs.errors import InvalidFields, SegmentCycle, Violation
from services.segmentation.domain.filters import Filter, simplified, size
from services.segmentation.domain.segment import Reference, Segment, sources

DEEPEST: Final = 10
MOST_SEGMENTS: Final = 1000
# A filter is one question: the endpoints service takes up to 5000 nodes.
MOST_NODES: Final = 5000
# Simplifying leaves out a wrapper or two a node; beyond this it is not even tried.
_MOST_UNSIMPLIFIED: Final = 20_000


def check_nesting(root: Segment, library: Mapping[Reference, Segment]) -> None:
    """Refuse segments that refer to each other in a circle, or are nested above 10 deep.

    A segment that is based on another version of itself is a circle, too. Raises SegmentCycle.
    """
    height, below = _Walk(library).into(root)
    if root.segment_id in below:
        raise _cycle(root.segment_id, "segments refer to each other in a circle")
    if height > DEEPEST:
        raise _cycle(root.segment_id, f"segments are nested more than {DEEPEST} deep")


@dataclass(frozen=True, slots=True)
class _Walk:
    library: Mapping[Reference, Segment]
    done: dict[Reference, tuple[int, frozenset[str]]] = field(default_factory=dict)
    open: set[Reference] = field(default_factory=set)

    def into(self, segment: Segment) -> tuple[int, frozenset[str]]:
        """Levels from this segment down, itself included, and the ids of all segments below it."""
        height, below = 0, frozenset[str]()
        for _, reference in sources(segment):
            under = self.reference(reference)
            height, below = max(height, under[0]), below | under[1] | {reference.segment_id}
        return height + 1, below

    def reference(self, reference: Reference) -> tuple[int, frozenset[str]]:
        if reference in self.open:
            raise _cycle(reference.segment_id, "segments refer to each other in a circle")
        if reference not in self.done and reference in self.library:
            self.open.add(reference)
            found = self.into(self.library[reference])
            self.open.remove(reference)
            if reference.segment_id in found[1]:
                raise _cycle(reference.segment_id, "segments refer to each other in a circle")
            self.done[reference] = found
        return self.done.get(reference, (1, frozenset()))


def small_enough(asked: Filter, at: str) -> Filter:
    """The filter, simplified. Raises InvalidFields when it is more than one question can hold."""
    if size(asked) <= _MOST_UNSIMPLIFIED:
        found = simplified(asked)
        if size(found) <= MOST_NODES:
            return found
    told = f"with its base segments it makes more than {MOST_NODES} tests"
    raise InvalidFields([Violation(at, told)])


def too_many(at: str) -> InvalidFields:
    """The error for more segments than take part in one."""
    told = f"no more than {MOST_SEGMENTS} segments take part in one"
    return InvalidFields([Violation(at, told)])


def _cycle(segment_id: str, why: str) -> SegmentCycle:
    at = Violation("source_segments", why)
    return SegmentCycle(why, metadata={"segment_id": segment_id}, violations=[at])
