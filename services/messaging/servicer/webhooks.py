"""`touchpoint.messaging.v1.WebhooksService`: the secret that signs."""

from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import webhooks_service_pb2 as pb

from libs.clock import Clock
from libs.errors import Violations
from libs.timestamps import to_timestamp
from services.messaging.domain.webhooks import Secret
from services.messaging.store.webhook_secrets import WebhookSecretStore

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class WebhooksServicer:
    """Shows and renews. Receivers need the secret too, so unlike others it comes out again."""

    def __init__(self, secrets: WebhookSecretStore, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    async def GetWebhookSecret(
        self, request: pb.GetWebhookSecretRequest, _: Context
    ) -> pb.GetWebhookSecretResponse:
        _check(request)
        kept = await self._secrets.in_force(request.application_id, self._clock.now())
        return pb.GetWebhookSecretResponse(secret=_secret(kept[0]))

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, _: Context
    ) -> pb.RotateWebhookSecretResponse:
        _check(request)
        made = await self._secrets.rotate(request.application_id, self._clock.now())
        return pb.RotateWebhookSecretResponse(secret=_secret(made))


def _check(request: pb.GetWebhookSecretRequest | pb.RotateWebhookSecretRequest) -> None:
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    found.raise_if_any()


def _secret(secret: Secret) -> pb.WebhookSecret:
    return pb.WebhookSecret(secret=secret.text, create_time=to_timestamp(secret.create_time))
