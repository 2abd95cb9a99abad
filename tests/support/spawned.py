"""A service as a process of its own, for tests that kill it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


async def spawned(
    service: str, settings: Mapping[str, Any]
) -> tuple[asyncio.subprocess.Process, str]:
    """`python -m services.<service>` with these settings, once it serves, and its address."""
    variables = {name.upper(): str(value) for name, value in settings.items()}
    inherited = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "VIRTUAL_ENV"}}  # noqa: TID251
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{service}",
        env={**inherited, **variables, "PYTHONPATH": str(Path.cwd())},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if "process_started" in line:
                port = line.split('"port":')[1].split(",")[0].strip(" }\n")
                return process, f"127.0.0.1:{port}"
    raise AssertionError("the service did not start")
