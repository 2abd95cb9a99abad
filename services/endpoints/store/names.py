"""The names of attributes and metrics an application uses, which are limited in number."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from libs.mongo.client import Database

COLLECTION: Final = "names"
_KINDS: Final = {"a": "attributes", "m": "metrics", "u": "user_attributes"}


class NameStore:
    """One document an application; what is known once is not asked for again."""

    def __init__(self, database: Database, most: int) -> None:
        self._names = database[COLLECTION]
        self._most = most
        self._known: dict[str, set[str]] = {}

    async def admit(
        self, application_id: str, names: Collection[str], *, register: bool = True
    ) -> set[str]:
        """Register names, or only ask; returns those for which there is no room (spec 2.3)."""
        known = self._known.setdefault(application_id, set())
        new = sorted(set(names) - known)
        if not new:
            return set()
        fitting, beyond = await self._fitting(application_id, new, register=register)
        if register:
            known.update(fitting)
        return beyond

    async def _fitting(
        self, application_id: str, names: Sequence[str], *, register: bool
    ) -> tuple[set[str], set[str]]:
        """The names there is room for, and the others. Two that come at once take turns."""
        while True:
            document = await self._names.find_one({"_id": application_id}) or {"names": []}
            there: list[str] = document["names"]
            new = [name for name in names if name not in there]
            room = max(0, self._most - len(there))
            fitting, beyond = new[:room], set(new[room:])
            if not fitting or not register or await self._add(application_id, there, fitting):
                return set(names) - beyond, beyond

    async def _add(self, application_id: str, there: Sequence[str], new: Sequence[str]) -> bool:
        key = {"_id": application_id}
        await self._names.update_one(key, {"$setOnInsert": {"names": []}}, upsert=True)
        unchanged = {**key, "names": {"$size": len(there)}}
        update = {"$push": {"names": {"$each": list(new)}}}
        return (await self._names.update_one(unchanged, update)).matched_count == 1

    async def forget(self, application_id: str, removed: Callable[[str, str], bool]) -> None:
        """Make room: names that `removed` (kind, name) holds of count no more."""
        document = await self._names.find_one({"_id": application_id}) or {"names": []}
        gone = [name for name in document["names"] if removed(_KINDS[name[0]], name[2:])]
        if gone:
            await self._names.update_one({"_id": application_id}, {"$pullAll": {"names": gone}})
            self._known.get(application_id, set()).difference_update(gone)

    async def delete_application(self, application_id: str) -> None:
        """Forget an application's names."""
        self._known.pop(application_id, None)
        await self._names.delete_one({"_id": application_id})
