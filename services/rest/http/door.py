"""Who asks: a signed request, a publishable key's holder, or nobody we know."""

from libs.clock import Clock
from services.rest.clients import Key, Keys
from services.rest.domain import signatures
from services.rest.domain.failures import Failure
from services.rest.domain.signatures import Received

PUBLISHABLE_KEY = "x-touchpoint-publishable-key"
_HOME_REGION = "us-east-1"


class Door:
    """Lets in who holds a key."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def caller(self, request: Received) -> tuple[str, str]:
        """Access key id and region of the caller. Raises Failure."""
        claim = signatures.claim_of(request)
        if claim is None:
            return await self._unsigned(request), _HOME_REGION
        key = await self._known(claim.access_key_id)
        signatures.check(request, claim, key.secret, self._clock.now())
        return key.access_key_id, claim.region

    async def _unsigned(self, request: Received) -> str:
        told = request.headers.get(PUBLISHABLE_KEY, "")
        if not told:
            raise Failure("MissingAuthenticationTokenException", 403, "The request is not signed")
        key = await self._known(told)
        if not key.publishable:
            raise Failure("ForbiddenException", 403, "The key is not a publishable one")
        return key.access_key_id

    async def _known(self, access_key_id: str) -> Key:
        key = await self._keys.find(access_key_id)
        if key is None:
            raise Failure(
                "UnrecognizedClientException", 403, "The access key id included is not valid"
            )
        return key
