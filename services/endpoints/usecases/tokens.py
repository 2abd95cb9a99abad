"""Push tokens that their service refused: dead ones, and ones that another took the place of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.endpoints.domain.endpoint import Endpoint
from services.endpoints.domain.identity import document_id, reach_of
from services.endpoints.domain.merge import deactivated
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.usecases.upsert import Upserts


@dataclass(frozen=True, slots=True)
class RefusedToken:
    """A token of an endpoint; `new_address` is empty when nothing took its place."""

    endpoint_id: str
    channel_type: str
    address: str
    new_address: str = ""


class Tokens:
    """Makes endpoints follow what push services say of their tokens; twice changes nothing more."""

    def __init__(self, store: EndpointStore, upserts: Upserts) -> None:
        self._store = store
        self._upserts = upserts

    async def refuse(self, application_id: str, tokens: Sequence[RefusedToken]) -> None:
        """Endpoints that still have such a token get the new one, or become INACTIVE.

        A device that has registered another token meanwhile is left alone.
        """
        moves = {reach_of(o.channel_type, o.new_address): o for o in tokens if o.new_address}
        held = await self._store.holders(application_id, moves)
        # The device has registered its new token by itself: the old endpoint is a double.
        refused = {
            one.endpoint_id.lower(): replace(one, new_address="")
            if reach_of(one.channel_type, one.new_address) in held
            else one
            for one in tokens
        }
        documents = [document_id(application_id, endpoint_id) for endpoint_id in refused]
        await self._upserts.amend(documents, lambda endpoint: _amended(endpoint, refused))


def _amended(endpoint: Endpoint, refused: Mapping[str, RefusedToken]) -> Endpoint:
    one = refused[endpoint.endpoint_id.lower()]
    has_it = (endpoint.channel_type, endpoint.address) == (one.channel_type, one.address)
    if endpoint.inactive or not has_it:
        return endpoint
    if one.new_address:
        return replace(endpoint, address=one.new_address)
    return deactivated(endpoint)
