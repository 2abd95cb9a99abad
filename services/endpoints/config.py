"""Settings of the endpoints service."""

from pydantic import Field

from libs.chassis import config


class Settings(config.Settings):
    """Beside the common ones: the quotas of spec 2.3, 2.5, 4.6, and how imports are run."""

    endpoint_most_bytes: int = Field(default=15 * 1024, ge=1024)
    endpoint_most_names: int = Field(default=250, ge=1)
    endpoint_longest_name: int = Field(default=50, ge=1)
    endpoint_longest_value: int = Field(default=100, ge=1)
    endpoint_most_values: int = Field(default=50, ge=1)
    endpoint_most_per_user: int = Field(default=15, ge=1)
    import_most_bytes: int = Field(default=1024**3, ge=1)
    import_most_running: int = Field(default=10, ge=1)
    import_lease_seconds: int = Field(default=20, ge=2)
    # Hosts, separated by commas, that imports may fetch from over http and inside the own network.
    import_allowed_hosts: str = ""
