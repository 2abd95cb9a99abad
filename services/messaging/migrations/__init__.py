"""Numbered, forward-only changes of this service's database; the first schema needs none."""

from typing import Final

from libs.mongo.migrations import Migration

MIGRATIONS: Final[tuple[Migration, ...]] = ()
