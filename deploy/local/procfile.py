"""Read the process table: `name: NAME=value ... program arguments`, one deployable a line."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)", re.ASCII)
LISTEN_SUFFIX = "_LISTEN"


class BadProcfile(Exception):
    """A line is not of the shape `name: command`, or a name stands twice."""


@dataclass(frozen=True)
class Deployable:
    """One line: what to run and the variables written before it."""

    name: str
    argv: tuple[str, ...]
    assignments: tuple[tuple[str, str], ...]

    @property
    def service(self) -> str:
        """The service whose address others know it by: messaging-gateway is `messaging`."""
        return self.name.removesuffix("-gateway")

    @property
    def is_worker(self) -> bool:
        return "worker" in self.argv

    @property
    def variables(self) -> Mapping[str, str]:
        return dict(self.assignments)

    @property
    def listens(self) -> tuple[str, ...]:
        """The variables that hold an address it serves, such as GRPC_LISTEN."""
        return tuple(name for name, _ in self.assignments if name.endswith(LISTEN_SUFFIX))


def read(path: Path) -> list[Deployable]:
    """Return the deployables in the order of the file; raises BadProcfile."""
    lines = (line.strip() for line in path.read_text().splitlines())
    table = [_parse(line) for line in lines if line and not line.startswith("#")]
    names = [deployable.name for deployable in table]
    for name in names:
        if names.count(name) > 1:
            raise BadProcfile(f"{path}: {name} stands twice")
    return table


def _parse(line: str) -> Deployable:
    name, colon, command = line.partition(":")
    words = shlex.split(command)
    assignments = []
    while words and (match := ASSIGNMENT.fullmatch(words[0])):
        assignments.append((match[1], match[2]))
        words = words[1:]
    if not colon or not words or not re.fullmatch(r"[a-z0-9-]+", name):
        raise BadProcfile(f"not `name: command`: {line}")
    return Deployable(name, tuple(words), tuple(assignments))
