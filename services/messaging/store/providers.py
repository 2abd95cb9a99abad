"""Which channels send, over all applications: what workers keep links for."""

from collections.abc import Mapping

from libs.mongo.client import Database, Document


class ProviderStore:
    """Versions of the channels that are switched on."""

    def __init__(self, database: Database) -> None:
        self._channels = database["channels"]

    async def enabled(self, channel_type: str, app_id: str = "") -> Mapping[str, int]:
        """Version of each application's enabled channel; of one application when it is named."""
        where: Document = {"channel_type": channel_type, "enabled": True}
        if app_id:
            where["app_id"] = app_id
        found = self._channels.find(where, {"app_id": 1, "version": 1})
        return {document["app_id"]: document["version"] for document in await found.to_list(None)}
