"""Settings of the gateway and of the channel workers."""

from typing import Literal

from pydantic import Field, SecretStr

from libs.chassis.config import Settings as ChassisSettings


class Settings(ChassisSettings):
    """What messaging alone needs."""

    account_sms_rate: int = Field(default=20, ge=1)
    """Message parts a second of channels without a rate of their own (spec 12.0 X1)."""
    clock_tick_seconds: float = Field(default=0.5, gt=0)
    """How often the gateway looks for due retries, ended leases and unpublished batches."""
    claim_lease_seconds: float = Field(default=30.0, ge=1)
    """How long a worker may take from a claim to its outcome."""
    claim_window: int = Field(default=16, ge=1, le=256)
    """Messages a worker claims in one stroke, and the most it leaves UNKNOWN when it is killed. A
    larger one costs less a message; push services have 64 at least.
    """
    provider_timeout_seconds: float = Field(default=20.0, gt=0)
    """How long a provider may take over one window; less than the lease."""
    email_delivered_on_acceptance: bool = True
    """Whether a mail counts as delivered when the mail server takes it: few tell more."""
    inbound_mail_listen: str = ""
    """Where the email worker takes bounces and complaints (host:port, SMTP); empty takes none."""
    smtp_addr: str = "127.0.0.1:25"
    """The installation's own mail server, for channels that name none."""
    smtp_security: Literal["STARTTLS", "TLS", "NONE"] = "NONE"
    """How the connection to it is protected; NONE suits a relay on the same host."""
    dns_addr: str = ""
    """The DNS resolver that records of sending domains are asked of; empty takes the system's."""
    smpp_addr: str = "127.0.0.1:2775"
    """The installation's own SMS centre, for channels that name none."""
    smpp_system_id: str = "sandbox"
    smpp_password: SecretStr = SecretStr("sandbox")
    fcm_url: str = "https://fcm.googleapis.com"
    fcm_token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - no secret
    apns_url: str = "https://api.push.apple.com"
    apns_sandbox_url: str = "https://api.sandbox.push.apple.com"
    adm_url: str = "https://api.amazon.com"
    adm_token_url: str = "https://api.amazon.com/auth/O2/token"  # noqa: S105 - no secret
    baidu_url: str = "https://api.tuisong.baidu.com"
    """Where push services are; an application's own settings name none."""
    auto_hold_bounce_percent: float = Field(default=10.0, ge=0, le=100)
    auto_hold_complaint_percent: float = Field(default=0.5, ge=0, le=100)
    auto_hold_failure_percent: float = Field(default=50.0, ge=0, le=100)
    auto_hold_least_messages: int = Field(default=1000, ge=1)
    """When a campaign is stopped by itself; 0 per cent never stops it."""
    calls_per_recipient: int = Field(default=5, ge=0)
    """Calls to one number in 24 hours, over all applications (spec 6.6); 0 sets no limit."""
    twilio_url: str = "https://api.twilio.com"
    """Twilio, or whoever speaks its API to the whole installation."""
    ses_url: str = ""
    aws_sms_url: str = ""
    """Amazon SES and AWS End User Messaging; empty means the addresses of their region."""
    sns_url: str = ""
    """Whoever signs messages in the place of Amazon SNS; empty believes Amazon alone. For tests."""
    push_ca_file: str = ""
    """Certificates to trust for services over HTTP in the place of the system's. For tests."""
    null_provider: bool = False
    """True hands messages to nobody and calls them sent. For benchmarks only."""

    webhook_allowed_hosts: str = ""
    """Hosts (comma list) that webhooks may be on though they are private or speak plain HTTP."""

    def webhook_hosts(self) -> frozenset[str]:
        """The hosts of WEBHOOK_ALLOWED_HOSTS."""
        names = self.webhook_allowed_hosts.split(",")
        return frozenset(filter(None, (name.strip() for name in names)))

    def link_key(self) -> bytes:
        """Key of the signatures in links; the links service has the same."""
        return self.link_signing_key.get_secret_value().encode()
