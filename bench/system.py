"""A running `headgate up`: found, or started on free ports in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headgate.embedded import nobody, ports, process, status
from headgate.streams.settings import Settings
from headgate.tables import merchants
from headgate.tables.postgres import Postgres

UP_WITHIN_S = 240
"""The very first start fetches Kafka."""
DOWN_WITHIN_S = 30
ROLES = ("edge", "settle", "acquire", "notify", "kafka", "postgres", "redis")


@dataclass(frozen=True)
class System:
    """Where a running `headgate up` is; every question goes through `headgate status --json`."""

    environment: Mapping[str, str]
    addresses: Mapping[str, str]

    @property
    def edge(self) -> tuple[str, int]:
        """Host and port of the edge."""
        parts = urlsplit(self.addresses["edge"])
        return parts.hostname or "127.0.0.1", parts.port or 80

    async def processes(self) -> dict[str, dict[str, Any]]:
        """What `headgate status` says of each process, by role."""
        document = await _status(self.environment)
        return {each["role"]: each for each in document["processes"]}

    async def supervisor(self) -> int:
        """The pid of the `headgate up` that keeps them running."""
        return int((await _status(self.environment))["pid"])

    async def create_merchant(self) -> merchants.KeyPair:
        """A merchant of its own for whoever asks, in test mode."""
        postgres = Postgres(Settings(postgres=self.addresses["postgres"]))
        try:
            email = f"{secrets.token_hex(6)}@example.com"
            return await merchants.create(postgres, "Bench", email, "test")
        finally:
            await postgres.close()


async def _status(environment: Mapping[str, str]) -> dict[str, Any]:
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate", "status", "--json",
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    answer, _ = await asyncio.wait_for(asked.communicate(), 30)
    document: dict[str, Any] = json.loads(answer)
    return document


async def found() -> System:
    """The `headgate up` that runs in this environment's state folder. Raises RuntimeError."""
    document = await _status(dict(os.environ))
    if not document["up"]:
        raise RuntimeError("no `headgate up` runs here: start one, or leave --running out")
    return System(dict(os.environ), document["addresses"])


def walkable_folder() -> Path:
    """A temporary folder that PostgreSQL may walk to when it runs as `nobody`."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-bench-"))
    folder.chmod(0o711)
    return folder


@asynccontextmanager
async def started(**changes: str) -> AsyncIterator[System]:
    """A `headgate up` of our own, stopped and forgotten afterwards. Raises RuntimeError.

    Settings in the environment apply, except those that say where it is."""
    folder = walkable_folder()
    environment = {
        **os.environ,
        "HEADGATE_STATE_DIR": str(folder),
        "HEADGATE_HTTP_PORT": str(next(ports.free())),
        **changes,
    }
    try:
        async with _up(environment, folder):
            document = await _status(environment)
            yield System(environment, document["addresses"])
    finally:
        nobody.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _up(environment: Mapping[str, str], folder: Path) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "headgate", "up"]
    log = folder / "up.log"
    up = await process.start(command, log, environment=environment, death_signal=signal.SIGTERM)
    try:
        await _until_running(up, folder, log)
        yield
    finally:
        if up.returncode is None:
            up.send_signal(signal.SIGTERM)
            await asyncio.wait_for(up.wait(), DOWN_WITHIN_S)


async def _until_running(up: asyncio.subprocess.Process, folder: Path, log: Path) -> None:
    end = time.monotonic() + UP_WITHIN_S
    while (now := status.read(folder)) is None or now.phase != "running":
        if up.returncode is not None or time.monotonic() > end:
            said = "\n".join(process.last_lines(log, 30))
            raise RuntimeError(f"`headgate up` did not come up:\n{said}")
        await asyncio.sleep(0.1)
