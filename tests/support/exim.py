"""A real Exim from Debian on loopback: takes mail for one domain and keeps it in a maildir."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

EXIM: Final = Path("/usr/sbin/exim4")
DOMAIN: Final = "mail.example"
_CONFIGURATION: Final = """
exim_path = {exim}
primary_hostname = mx.{domain}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
exim_user = root
exim_group = root
never_users =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
domainlist local_domains = {domain}
log_selector = +smtp_connection
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
smtp_accept_max = 50
acl_smtp_rcpt = for_us
begin acl
for_us:
  accept domains = +local_domains
  deny message = relaying denied
begin routers
all:
  driver = accept
  transport = kept
begin transports
kept:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  user = nobody
  group = nogroup
  mode = 0644
  directory_mode = 0755
begin retry
* * F,1m,5s
"""


@dataclass(frozen=True)
class Exim:
    """Where it listens, and where its mail is."""

    port: int
    folder: Path

    def mails(self) -> list[bytes]:
        """Every mail that was delivered."""
        return [found.read_bytes() for found in sorted((self.folder / "mail" / "new").glob("*"))]

    def is_alone(self) -> bool:
        """Whether every client that came has said goodbye."""
        log = (self.folder / "log" / "mainlog").read_text()
        # The first to come only looked whether anybody listens.
        return log.count("connection count =") == log.count("closed by QUIT") + 1 > 1


@asynccontextmanager
async def exim() -> AsyncIterator[Exim]:
    """Run it until the end; only root may, for that is what Exim asks for."""
    with TemporaryDirectory(prefix="exim-") as name:
        made = _prepared(Path(name))
        process = await asyncio.create_subprocess_exec(
            EXIM, "-C", made.folder / "exim.conf", "-bdf", "-q1s"
        )
        try:
            await _listening(made.port)
            yield made
        finally:
            process.terminate()
            await process.wait()


def _prepared(folder: Path) -> Exim:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    folder.chmod(0o755)
    for name in ("spool", "log", "mail"):
        (folder / name).mkdir()
    # Exim never delivers as root, and nobody must be able to write here.
    (folder / "mail").chmod(0o777)
    configuration = folder / "exim.conf"
    configuration.write_text(
        _CONFIGURATION.format(exim=EXIM, domain=DOMAIN, folder=folder, port=port)
    )
    configuration.chmod(0o600)
    return Exim(port, folder)


async def _listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def may_run() -> bool:
    """Whether Exim is here and this user may run one of its own."""
    return EXIM.exists() and os.geteuid() == 0
