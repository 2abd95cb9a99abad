"""Settings of the segmentation service."""

from pydantic import Field

from libs.chassis import config


class Settings(config.Settings):
    """The common ones, and how exports are run; quotas of segments are the domain's (spec 4.4)."""

    export_most_running: int = Field(default=10, ge=1)
    export_lease_seconds: int = Field(default=20, ge=2)
    # A file is written again after a crash, so its size also bounds the work that is repeated.
    export_piece_members: int = Field(default=50_000, ge=1)
