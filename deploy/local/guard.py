"""End a stack with the process that owns it, even when that one is killed outright."""

import os
import select
import subprocess
import sys
from pathlib import Path

from deploy.local.environment import inherited
from deploy.local.ledger import Ledger


def end_with(folder: Path, owner: int) -> None:
    """Wait without any polling until the owner has ended, then end what is left of its stack."""
    try:
        descriptor = os.pidfd_open(owner)
    except ProcessLookupError:
        pass
    else:
        select.select([descriptor], [], [])
        os.close(descriptor)
    if (folder / "processes.json").exists():
        ledger = Ledger(folder)
        with ledger.locked():
            ledger.end_all()
            ledger.remove_data()


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Start a guard over `folder` that watches the calling process; terminate it when done."""
    argv = [sys.executable, "-m", "deploy.local", "--folder", str(folder), "guard"]
    return subprocess.Popen(
        [*argv, str(os.getpid())],
        env=inherited(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
