"""The composition root of the applications service."""

from contextlib import AsyncExitStack

from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc
from touchpoint.common.v1 import access_pb2

from libs.bus.publisher import open_publisher
from libs.bus.topology import EVENTS
from libs.chassis.context import Principal
from libs.chassis.keys import checked, valid
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.chassis.tags import tags_service
from libs.clock import SystemClock
from libs.errors import ResourceNotFound, Unauthenticated
from libs.mongo.client import open_database
from libs.mongo.indexes import ensure_indexes
from libs.mongo.paging import Pager
from libs.vault import Vault
from services.applications import domain
from services.applications.clients import EventPublisher
from services.applications.config import Settings
from services.applications.servicer import ApiKeysServicer, ApplicationsServicer, sealed
from services.applications.store import INDEXES, ApplicationStore, KeyStore, tags


class LocalAuthenticator:
    """Checks keys against this service's own store."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def authenticate(self, access_key_id: str, secret_hash: bytes) -> Principal:
        caller, expires, known_hash = await self._resolved(access_key_id)
        return checked(caller, known_hash, secret_hash, expires)

    async def known(self, access_key_id: str) -> Principal:
        """The principal of a key whose holder was verified elsewhere. Raises Unauthenticated."""
        caller, expires, _ = await self._resolved(access_key_id)
        return valid(caller, expires)

    async def _resolved(self, access_key_id: str) -> tuple[Principal | None, float | None, bytes]:
        try:
            key, known_hash = await self._keys.resolve(access_key_id)
        except ResourceNotFound as error:
            raise Unauthenticated("the access key is not valid") from error
        role = access_pb2.Role.Value(f"ROLE_{key.role}")
        caller = Principal(access_key_id, role, frozenset(key.application_ids))
        expires = key.expire_time.timestamp() if key.expire_time else None
        return None if key.disabled else caller, expires, known_hash


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open what the service needs and put it together."""
    database = await open_database(settings, "applications", stack)
    await ensure_indexes(database, INDEXES)
    store, keys = ApplicationStore(database), KeyStore(database)
    vault = Vault(settings.master_key.get_secret_value())
    pager = Pager(settings.page_key())
    await _bootstrap(settings, keys, vault)
    url = settings.amqp_url.get_secret_value()
    events = EventPublisher(await open_publisher(url, EVENTS, "applications", stack))
    clock = SystemClock()
    return Parts(
        services=[
            Service(
                "touchpoint.applications.v1.ApplicationsService",
                rpc.add_ApplicationsServiceServicer_to_server,
                ApplicationsServicer(store, keys, events, pager, clock, settings.most_applications),
            ),
            Service(
                "touchpoint.applications.v1.ApiKeysService",
                rpc.add_ApiKeysServiceServicer_to_server,
                ApiKeysServicer(keys, vault, pager, clock),
            ),
            tags_service(tags(database)),
        ],
        authenticator=LocalAuthenticator(keys),
    )


async def _bootstrap(settings: Settings, keys: KeyStore, vault: Vault) -> None:
    secret = settings.bootstrap_secret_access_key.get_secret_value()
    if not settings.bootstrap_access_key_id or not secret:
        return
    request = domain.KeyRequest("bootstrap key of the installation", "ADMIN", (), 0)
    key = domain.new_key(settings.bootstrap_access_key_id, request, (), SystemClock().now())
    await keys.ensure(key, *sealed(vault, key.access_key_id, secret))
