"""The analytics service as a process."""

from libs.chassis.run import run
from services.analytics.config import Settings
from services.analytics.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "analytics")
