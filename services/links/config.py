"""Settings of the links service."""

from pydantic import Field, SecretStr, field_validator

from libs.chassis.config import Settings as ChassisSettings


class Settings(ChassisSettings):
    """Where pages are served, the key that signs links, and how many hits wait in memory.

    LINK_SIGNING_KEY must be the key of the workers that made the links.
    """

    http_listen: str = "127.0.0.1:8080"
    waiting_hits: int = Field(default=200_000, ge=1)

    @field_validator("link_signing_key")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 16:
            raise ValueError("must have at least 16 characters")
        return value
