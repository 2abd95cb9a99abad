"""Numbered, forward-only changes of a service's own database, and the check that they were made."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from libs.chassis.logging import get_logger
from libs.mongo.client import Database

_KEY = {"_id": "schema"}


@dataclass(frozen=True, slots=True)
class Migration:
    """One change: its number, counted from 1 without gaps, and what it does."""

    number: int
    apply: Callable[[Database], Awaitable[None]]


class SchemaBehind(RuntimeError):
    """The database is older than the code; the message names the command that mends it."""


async def schema_version(database: Database) -> int:
    """Number of the last migration made; 0 for a new database."""
    found = await database["schema"].find_one(_KEY)
    return int(found["version"]) if found else 0


async def migrate(database: Database, migrations: Sequence[Migration]) -> int:
    """Make every missing change, in order; returns the version reached."""
    version = await schema_version(database)
    for migration in sorted(migrations, key=lambda m: m.number):
        if migration.number > version:
            await migration.apply(database)
            await database["schema"].update_one(
                _KEY, {"$set": {"version": migration.number}}, upsert=True
            )
            version = migration.number
            get_logger().info("migration_applied", number=version)
    return version


async def check_schema(database: Database, migrations: Sequence[Migration], service: str) -> None:
    """Raise SchemaBehind unless every change was made; an empty database is migrated at once."""
    head = max((m.number for m in migrations), default=0)
    if not await database.list_collection_names():
        await migrate(database, migrations)
    elif await schema_version(database) < head:
        raise SchemaBehind(f"run `python -m services.{service} migrate` first")
