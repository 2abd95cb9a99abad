"""The endpoints process."""

from libs.chassis.run import run
from services.endpoints.config import Settings
from services.endpoints.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "endpoints")
