"""Amazon Pinpoint's service model, as botocore ships it: routes, shapes, errors.

Nothing of it is copied: it is read from the installed botocore when the process starts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

SERVICE: Final = "pinpoint"
SIGNING_NAME: Final = "mobiletargeting"
_PARAMETER: Final = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A member of the input that travels in the path or the query string."""

    member: str
    wire_name: str
    shape: Shape
    required: bool


class Action:
    """One operation of the model: what its request and its answer look like."""

    def __init__(self, operation: OperationModel) -> None:
        self.name: str = operation.name
        self.method: str = operation.http["method"]
        self.path: str = operation.http["requestUri"]
        self.status: int = operation.http.get("responseCode", 200)
        self.errors: Mapping[str, int] = {
            shape.name: shape.metadata.get("error", {}).get("httpStatusCode", 500)
            for shape in operation.error_shapes
        }
        self._input: StructureShape = operation.input_shape
        self._output: StructureShape | None = operation.output_shape

    @cached_property
    def path_parameters(self) -> tuple[Parameter, ...]:
        return self._located("uri")

    @cached_property
    def query_parameters(self) -> tuple[Parameter, ...]:
        return self._located("querystring")

    @cached_property
    def payload(self) -> tuple[str, StructureShape] | None:
        """Member and shape of the request's body; None when it has none."""
        member = self._input.serialization.get("payload")
        return (member, self._input.members[member]) if member else None

    @cached_property
    def answer(self) -> StructureShape | None:
        """Shape of the answer's body; None when it has none."""
        if self._output is None:
            return None
        member = self._output.serialization.get("payload")
        return self._output.members[member] if member else None

    def _located(self, location: str) -> tuple[Parameter, ...]:
        required = set(self._input.required_members)
        return tuple(
            Parameter(member, shape.serialization.get("name", member), shape, member in required)
            for member, shape in self._input.members.items()
            if shape.serialization.get("location") == location
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Where a request's path leads."""

    action: Action
    parameters: Mapping[str, str]  # by wire name


class Model:
    """All operations, and which of them a method and a path mean."""

    def __init__(self, service: ServiceModel) -> None:
        self.actions = {
            name: Action(service.operation_model(name)) for name in service.operation_names
        }
        self._routes: dict[tuple[str, int], list[tuple[tuple[str, ...], Action]]] = {}
        # Paths with more fixed words first: /templates/x/email before /templates/x/{type}.
        for action in sorted(self.actions.values(), key=lambda a: len(_PARAMETER.findall(a.path))):
            segments = tuple(action.path.strip("/").split("/"))
            self._routes.setdefault((action.method, len(segments)), []).append((segments, action))

    def find(self, method: str, raw_path: str) -> Found | None:
        """The operation of a request; the path is still percent-encoded."""
        given = [unquote(segment) for segment in raw_path.strip("/").split("/")]
        for segments, action in self._routes.get((method, len(given)), ()):
            values: dict[str, str] = {}
            for wanted, value in zip(segments, given, strict=True):
                name = _PARAMETER.fullmatch(wanted)
                if name and value:
                    values[name.group(1)] = value
                elif wanted != value:
                    break
            else:
                return Found(action, values)
        return None

    def knows_path(self, raw_path: str) -> bool:
        """Whether the path leads somewhere with another method."""
        return any(self.find(method, raw_path) for method in ("GET", "POST", "PUT", "DELETE"))


def load_model() -> Model:
    """The model of the installed botocore."""
    return Model(ServiceModel(Loader().load_service_model(SERVICE, "service-2"), SERVICE))
