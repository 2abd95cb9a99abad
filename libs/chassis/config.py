"""Settings every service has: environment only, parsed at start, all faults told together."""

import sys
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every process needs. A service adds its own in `services/<name>/config.py`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    environment: str = "production"
    log_level: str = "INFO"
    log_format: str = "json"
    grpc_listen: str = "127.0.0.1:0"
    http_listen: str = ""
    metrics_listen: str = ""
    drain_seconds: float = Field(default=5.0, ge=0)
    mongo_uri: SecretStr = SecretStr("")
    amqp_url: SecretStr = SecretStr("")
    database_prefix: str = "touchpoint_"
    peer_token: SecretStr = SecretStr("")
    master_key: SecretStr = SecretStr("")
    link_signing_key: SecretStr = SecretStr("")
    page_token_key: SecretStr = SecretStr("")
    links_url: str = "http://127.0.0.1:8080"
    tls_certificate_file: str = ""
    tls_private_key_file: str = ""
    tls_client_ca_file: str = ""
    applications_addr: str = ""
    endpoints_addr: str = ""
    segmentation_addr: str = ""
    templates_addr: str = ""
    campaigns_addr: str = ""
    messaging_addr: str = ""
    analytics_addr: str = ""
    # The object store that s3:// URLs mean; any that speaks S3. Without a key there is none.
    s3_endpoint_url: str = ""
    s3_region: str = "us-east-1"
    s3_access_key_id: str = ""
    s3_secret_access_key: SecretStr = SecretStr("")
    # Buckets, separated by commas, that jobs may use; empty means all that the key opens.
    s3_buckets: str = ""

    def page_key(self) -> bytes:
        """Key of page tokens; the peer token serves when none of its own is set."""
        return (
            self.page_token_key.get_secret_value() or self.peer_token.get_secret_value()
        ).encode()


S = TypeVar("S", bound=Settings)


def load(settings_class: type[S]) -> S:
    """Settings from the environment; ends the process with every fault named."""
    try:
        return settings_class()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        sys.stderr.write("settings are missing or wrong:\n" + "\n".join(lines) + "\n")
        raise SystemExit(2) from None
