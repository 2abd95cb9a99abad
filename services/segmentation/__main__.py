"""The segmentation process."""

from libs.chassis.run import run
from services.segmentation.config import Settings
from services.segmentation.setup import setup

if __name__ == "__main__":
    run(Settings, setup, "segmentation")
