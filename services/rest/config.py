"""Settings of the REST edge."""

from pydantic import Field

from libs.chassis.config import Settings as ChassisSettings


class Settings(ChassisSettings):
    """Where HTTP is served, and how large a request may be (spec 11.8: 7 MB)."""

    http_listen: str = "127.0.0.1:8082"
    most_body_bytes: int = Field(default=7 * 1024 * 1024, ge=1024)
