"""The applications process."""

from libs.chassis.run import run
from services.applications.config import Settings
from services.applications.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "applications")
