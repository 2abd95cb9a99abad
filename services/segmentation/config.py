"""Settings of the segmentation service."""

from libs.chassis import config


class Settings(config.Settings):
    """The common ones: its quotas are the domain's (spec 4.4)."""
