"""Why an endpoint is or is not a member, in the author's words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.segmentation.domain.filters import Filter, nodes


@dataclass(frozen=True, slots=True)
class Finding:
    """What one node of a filter says: its path, the node in words, whether it holds, the value."""

    path: str
    description: str
    holds: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether the filter admits the endpoint, and one finding a node in depth-first order."""

    admitted: bool
    findings: Sequence[Finding]


def reworded(explanation: Explanation, asked: Filter) -> Explanation:
    """The explanation with criteria and groups named as the segment's author wrote them."""
    labels = {path: node.label for path, node in nodes(asked) if node.label}
    findings = tuple(
        replace(found, description=labels.get(found.path, found.description))
        for found in explanation.findings
    )
    return replace(explanation, findings=findings)
