"""The templates process."""

from libs.chassis.run import run
from services.templates.config import Settings
from services.templates.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "templates")
