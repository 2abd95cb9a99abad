"""The sandbox as a process."""

from libs.chassis.run import run
from services.sandbox.config import Settings
from services.sandbox.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "sandbox")
