"""Settings of the applications service."""

from pydantic import SecretStr

from libs.chassis import config


class Settings(config.Settings):
    """Beside the common ones: the key an installation starts with, and a quota."""

    bootstrap_access_key_id: str = ""
    bootstrap_secret_access_key: SecretStr = SecretStr("")
    most_applications: int = 100  # spec 11.8: projects per region
