"""Checking a JSON document against a table of fields, with every bad field named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.errors import Violations

Value = int | float | str
Rules = Mapping[str, "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field may hold; its type is that of `default`, and numbers have inclusive bounds."""

    default: Value
    low: float = 0
    high: float = 86_400_000
    choices: tuple[str, ...] = ()

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value, or None."""
        if isinstance(self.default, str):
            return self._text_problem(value)
        kinds = (int,) if isinstance(self.default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return "must be a whole number" if kinds == (int,) else "must be a number"
        if not self.low <= value <= self.high:
            return f"must be from {self.low:g} to {self.high:g}"
        return None

    def _text_problem(self, value: object) -> str | None:
        if not isinstance(value, str):
            return "must be a string"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if "\r" in value or "\n" in value or "\0" in value:
            return "must be one line"
        return None


def as_object(value: object, path: str, found: Violations) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one after noting the violation."""
    if isinstance(value, Mapping):
        return value
    found.add(path, "must be an object")
    return {}


def as_list(value: object, path: str, found: Violations) -> list[Any]:
    """Return a JSON array, or an empty one after noting the violation."""
    if isinstance(value, list):
        return value
    found.add(path, "must be an array")
    return []


def checked(
    document: Mapping[str, Any], rules: Rules, path: str, found: Violations
) -> dict[str, Any]:
    """Return every field of `rules`, given or default; unknown and bad ones are noted."""
    for name in document.keys() - rules.keys():
        found.add(f"{path}.{name}", "unknown field")
    values: dict[str, Any] = {}
    for name, rule in rules.items():
        values[name] = document.get(name, rule.default)
        problem = rule.problem(values[name])
        if problem:
            found.add(f"{path}.{name}", problem)
    return values
