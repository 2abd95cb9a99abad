"""Settings of the sandbox."""

from pydantic import Field, SecretStr, field_validator

from libs.chassis.config import Settings as ChassisSettings
from libs.chassis.listen import split_address


class Settings(ChassisSettings):
    """Where the sandbox listens, whom it lets in, and how much it keeps.

    An empty SMTP_USERNAME lets mail in without AUTH; an empty BOUNCE_SMTP drops the bounces and
    complaints that behaviours ask for. APNS_LISTEN is Apple's service, PUSH_LISTEN Firebase's,
    Amazon's, Baidu's and Twilio's, and receives webhooks. APNS_CLIENT_CA names certificates that
    senders may show. ACTION_HOSTS is a comma list of hosts beside the loopback that opens, clicks,
    unsubscribes and messages of SNS may reach.
    """

    smtp_listen: str = "127.0.0.1:2525"
    smpp_listen: str = "127.0.0.1:2775"
    http_listen: str = "127.0.0.1:8025"
    apns_listen: str = "127.0.0.1:2197"
    push_listen: str = "127.0.0.1:8027"
    apns_tls: bool = True
    apns_client_ca: str = ""
    push_token_seconds: int = Field(default=3600, ge=1)
    aws_key_id: str = "sandbox"
    twilio_auth_token: SecretStr = SecretStr("sandbox")
    baidu_secret_key: SecretStr = SecretStr("sandbox")
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    # SMPP 3.4 section 4.1.1: at most 15 and 8 characters.
    smpp_system_id: str = Field(default="sandbox", min_length=1, max_length=15)
    smpp_password: SecretStr = Field(default=SecretStr("sandbox"), max_length=8)
    bounce_smtp: str = ""
    action_hosts: str = ""
    log_messages: int = Field(default=2_000_000, ge=1)
    log_bytes: int = Field(default=2_000_000_000, ge=1_000_000)
    reactions_at_once: int = Field(default=64, ge=1, le=10_000)

    @field_validator(
        "smtp_listen", "smpp_listen", "http_listen", "apns_listen", "push_listen", "bounce_smtp"
    )
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value:
            split_address(value)
        return value

    def allowed_hosts(self) -> frozenset[str]:
        """Return ACTION_HOSTS as a set of lower-case names."""
        names = (name.strip().lower() for name in self.action_hosts.split(","))
        return frozenset(name for name in names if name)
