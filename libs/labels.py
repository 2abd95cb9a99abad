"""What tags of a resource may be (spec 1.7)."""

from collections.abc import Mapping
from typing import Final

from libs.errors import Violations

MOST_TAGS: Final = 50


def check_tags(found: Violations, field: str, tags: Mapping[str, str]) -> None:
    """Note what is wrong: at most 50; keys to 128 characters, values to 256; `aws:` is reserved."""
    found.check(len(tags) <= MOST_TAGS, field, f"no more than {MOST_TAGS} tags")
    for key, value in tags.items():
        path = f"{field}[{key[:20]}]"
        found.check(1 <= len(key) <= 128, path, "key of 1 to 128 characters")
        found.check(not key.startswith("aws:"), path, "aws: is reserved")
        found.check(len(value) <= 256, path, "value of up to 256 characters")
