"""The ports, password and key of the embedded servers: drawn once, remembered with their data."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headgate.embedded import ports


@dataclass(frozen=True, slots=True)
class Addresses:
    """The part of the embedded servers' state that clients must know. All on loopback."""

    kafka_port: int
    controller_port: int
    redis_port: int
    postgres_port: int
    password: str
    secret_key: str

    @property
    def kafka(self) -> str:
        """Bootstrap servers of the embedded Kafka."""
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def redis(self) -> str:
        """URL of the embedded Redis."""
        return f"redis://:{self.password}@127.0.0.1:{self.redis_port}/0"

    @property
    def postgres(self) -> str:
        """URL of the embedded PostgreSQL."""
        return f"postgresql://headgate:{self.password}@127.0.0.1:{self.postgres_port}/headgate"


def drawn() -> Addresses:
    """New addresses: four free ports, a password, and 32 random bytes as the secret key."""
    free = ports.free()
    return Addresses(
        kafka_port=next(free),
        controller_port=next(free),
        redis_port=next(free),
        postgres_port=next(free),
        password=secrets.token_urlsafe(24),
        secret_key=base64.b64encode(secrets.token_bytes(32)).decode(),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def remember(state_dir: Path, addresses: Addresses) -> None:
    """Keep the addresses for the next start."""
    write_private(state_dir / "addresses.json", json.dumps(dataclasses.asdict(addresses), indent=2))


def known(state_dir: Path) -> Addresses | None:
    """The addresses of this state folder, if it has any."""
    try:
        return Addresses(**json.loads((state_dir / "addresses.json").read_text()))
    except FileNotFoundError:
        return None


def remembered(state_dir: Path) -> Addresses:
    """The addresses of this state folder, drawn if this is its first start."""
    state_dir.mkdir(parents=True, exist_ok=True)
    addresses = known(state_dir)
    if addresses is None:
        addresses = drawn()
        remember(state_dir, addresses)
    return addresses


def moved(state_dir: Path, addresses: Addresses, tell: Callable[[str], None]) -> Addresses:
    """The same addresses, with other ports for those that somebody else sits on meanwhile."""
    for field in ("kafka_port", "controller_port", "redis_port", "postgres_port"):
        port = getattr(addresses, field)
        if not ports.is_free(port):
            other = next(ports.free())
            tell(f"port {port} is taken by {ports.holder(port)}; {field} is now {other}")
            addresses = Addresses(**{**dataclasses.asdict(addresses), field: other})
    remember(state_dir, addresses)
    return addresses
