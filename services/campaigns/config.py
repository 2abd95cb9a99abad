"""Settings of the campaigns service."""

from pydantic import Field

from libs.chassis import config


class Settings(config.Settings):
    """Beside the common ones: how runs are shared, leased and paced."""

    # How often due campaigns, free shards and finished runs are looked for.
    poll_seconds: float = Field(default=0.25, gt=0)
    # A shard whose runner has not been heard of for so long is taken over by another.
    lease_seconds: float = Field(default=10.0, gt=0)
    shards_per_run: int = Field(default=2, ge=1, le=256)
    batch_size: int = Field(default=1000, ge=1, le=1000)
    # A run stops feeding while more of its messages than this wait to be sent: queues stay shallow,
    # and a campaign of ten million is a cursor.
    most_open_messages: int = Field(default=20_000, ge=100)
    account_sms_rate: int = Field(default=20, ge=1)  # message parts a second, as in messaging
    most_active_campaigns: int = 200  # spec 11.8
    most_in_app_campaigns: int = 25  # of an application; spec 11.8
    # How long what an application offers its apps is kept: this late they hear of a change.
    in_app_kept_seconds: float = Field(default=5.0, gt=0)
    # Hosts (comma list) that webhooks may be on though they are private or speak plain HTTP.
    webhook_allowed_hosts: str = ""

    def webhook_hosts(self) -> frozenset[str]:
        """The hosts of WEBHOOK_ALLOWED_HOSTS."""
        names = self.webhook_allowed_hosts.split(",")
        return frozenset(filter(None, (name.strip() for name in names)))
