"""Settings of the analytics service."""

from pydantic import Field

from libs.chassis.config import Settings as ChassisSettings


class Settings(ChassisSettings):
    """How much of the event queue is taken at a time.

    `consume_messages` messages (each up to 100 events and more) make a batch, and
    `consume_concurrency` batches are stored side by side, each in transactions of its own.
    """

    consume_messages: int = Field(default=20, ge=1, le=1000)
    consume_concurrency: int = Field(default=2, ge=1, le=64)
