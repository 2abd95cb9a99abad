"""The campaigns process."""

from libs.chassis.run import run
from services.campaigns.config import Settings
from services.campaigns.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "campaigns")
