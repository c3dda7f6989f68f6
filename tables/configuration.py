"""Merchants, keys and endpoints as every process holds them: a copy, refreshed within a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import orjson
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headgate.streams.commands import Mode
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.acquirer_knobs import Knobs
from headgate.tables.postgres import Postgres, Row
from headgate.tables.scopes import DEFAULT_SCOPES

log = structlog.get_logger(__name__)


class Merchant(BaseModel):
    """A merchant."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    require_keys: bool
    active: bool = True
    checkout_origins: tuple[str, ...] = ()
    """Origins of the pages that may show the checkout form in a frame."""


class ApiKey(BaseModel):
    """The hashed half of a key pair. `id` is the public half that may stand in a browser.

    Members with a default are younger than some remembered configurations, which lack them.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    id: str
    merchant_id: str
    mode: Mode
    secret_hash: bytes
    """SHA-256 of the secret."""
    revoked: bool
    name: str | None = None
    scopes: frozenset[str] = DEFAULT_SCOPES
    """Text, since a newer version may have granted what this one does not know."""
    rate_per_s: int | None = None
    """Writes a second; None is the default of the mode."""
    strict_parameters: bool = False
    expires_at_ms: int | None = None
    """When the overlap of a rotated key ends."""
    replaced_by: str | None = None


class EndpointSecret(BaseModel):
    """One live secret of an endpoint, sealed; it signs until it expires."""

    model_config = ConfigDict(frozen=True)

    sealed: str
    expires_at_ms: int | None = None
    """When the overlap of a rotated secret ends; None for the current one."""


class Endpoint(BaseModel):
    """Where a merchant wants webhooks; secrets and headers are sealed.

    Members with a default are younger than some remembered configurations, which lack them.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    mode: Mode
    is_default: bool
    url: str
    sealed_secret: str
    """The current secret; the newest of those that sign."""
    event_types: tuple[str, ...]
    """Exact types, prefixes such as `payment.*`, or `*`."""
    enabled: bool
    older_secrets: tuple[EndpointSecret, ...] = ()
    """Rotated secrets whose overlap may still run, oldest first (08 R33)."""
    schedule: str = "seed"
    """`seed`, `standard` or `custom`: the waits between attempts."""
    waits_ms: tuple[int, ...] = ()
    """The waits of a custom schedule."""
    sealed_headers: str | None = None
    """Headers that every attempt carries: a JSON object of texts, sealed."""
    rate_per_s: int | None = None
    """Attempts a second at most, as the merchant wants it; None is no limit."""
    allowed_per_min: int | None = None
    """Attempts a minute at most, as the receiver allowed it when it was verified."""
    fifo: bool = False
    """Whether deliveries go one after the other, in the order of their events (08 R32)."""
    fifo_blocks: bool = False
    """Whether an exhausted head stops those behind it instead of being passed."""
    sealed_signing_key: str | None = None
    """The ed25519 key of an endpoint that asked for `v1a` signatures too, sealed."""
    deleted: bool = False
    """A tombstone: its deliveries are canceled (08 R31)."""

    @property
    def attempts_per_s(self) -> float | None:
        """Attempts a second at most, by whichever limit is the lower; None is no limit."""
        allowed = self.allowed_per_min / 60 if self.allowed_per_min else None
        return min((limit for limit in (self.rate_per_s, allowed) if limit), default=None)


class Configuration(BaseModel):
    """One consistent reading of the configuration."""

    model_config = ConfigDict(frozen=True)

    version: int = 0
    redis_token: str | None = None
    """Names the Redis data that has been there since the first payment (08 R13)."""
    merchants: dict[str, Merchant] = Field(default_factory=dict)
    keys: dict[str, ApiKey] = Field(default_factory=dict)
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    knobs: dict[str, Knobs] = Field(default_factory=dict)
    """What merchants have set for the simulated bank, by merchant."""

    def endpoints_of(self, merchant_id: str, mode: str) -> list[Endpoint]:
        """The merchant's endpoints of one mode."""
        return [
            endpoint
            for endpoint in self.endpoints.values()
            if endpoint.merchant_id == merchant_id and endpoint.mode == mode
        ]


async def read(postgres: Postgres) -> Configuration:
    """The configuration as PostgreSQL has it. Raises StoreUnavailable."""
    row = await postgres.fetch_row("configuration")
    if row is None:
        raise StoreUnavailable("the configuration row is missing: run `headgate migrate`")
    merchants = [Merchant(**dict(r)) for r in await postgres.fetch("merchants")]
    keys = [ApiKey(**dict(r)) for r in await postgres.fetch("api_keys")]
    endpoints = [_endpoint(r) for r in await postgres.fetch("webhook_endpoints")]
    knobs = await postgres.fetch("acquirer_knobs")
    return Configuration(
        version=row["version"],
        redis_token=row["redis_token"],
        merchants={merchant.id: merchant for merchant in merchants},
        keys={key.id: key for key in keys},
        endpoints={endpoint.id: endpoint for endpoint in endpoints},
        knobs={r["merchant_id"]: Knobs.model_validate_json(r["knobs"]) for r in knobs},
    )


def _endpoint(row: Row) -> Endpoint:
    members = dict(row)
    older = orjson.loads(members.pop("older_secrets", None) or b"[]")
    return Endpoint(older_secrets=older, **members)


class ConfigurationCopy:
    """The last known configuration; kept in a file so that a process can start without PostgreSQL
    (08 R18). The file holds hashes and sealed secrets only and is readable by its owner alone."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._postgres = postgres
        self._interval_s = settings.configuration_refresh_ms / 1000
        self._file = Path(settings.state_dir) / f"configuration-{settings.schema_name}.json"
        self.now = self._remembered()
        self._confirmed = False
        """Whether PostgreSQL has been read: a remembered version may be of another database."""

    def _remembered(self) -> Configuration:
        try:
            return Configuration.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return Configuration()

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """An endpoint as far as it is known here."""
        return self.now.endpoints.get(endpoint_id)

    async def refresh(self) -> Configuration:
        """Read PostgreSQL if its version is another than ours. Raises StoreUnavailable."""
        row = await self._postgres.fetch_row("configuration")
        if row is None or row["version"] != self.now.version or not self._confirmed:
            self.now = await read(self._postgres)
            self._confirmed = True
            self._remember()
        return self.now

    async def run(self) -> None:
        """Refresh for ever; PostgreSQL away leaves the last known copy standing."""
        while True:
            with contextlib.suppress(StoreUnavailable):
                await self.refresh()
            await asyncio.sleep(self._interval_s)

    def _remember(self) -> None:
        beside = self._file.with_suffix(f".{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside.touch(mode=0o600)
            beside.write_text(self.now.model_dump_json())
            beside.replace(self._file)
        except OSError as error:
            log.warning("configuration not remembered", file=str(self._file), error=str(error))
