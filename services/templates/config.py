"""Settings of the templates service."""

from libs.chassis import config


class Settings(config.Settings):
    """Beside the common ones: the quotas of spec 5.1."""

    most_templates: int = 20_000
    most_template_versions: int = 5_000
