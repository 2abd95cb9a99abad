"""The links service as a process."""

from libs.chassis.run import run
from services.links.config import Settings
from services.links.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "links")
