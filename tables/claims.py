"""Claims and incarnations in PostgreSQL: who may work on a partition, and from where."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from headgate.streams.engine.claims import Claim
from headgate.streams.errors import StoreUnavailable
from headgate.tables.postgres import Postgres


class PostgresClaims:
    """The ClaimStore that 08 R1 to R4 ask for."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def register(self, instance_id: str, role: str, held: int) -> int:
        """The next incarnation of this instance, above `held` and above what is stored."""
        row = await self._postgres.fetch_row(
            "incarnate", instance_id, held, role, socket.gethostname(), os.getpid(), _version()
        )
        if row is None:
            raise StoreUnavailable("PostgreSQL stored no incarnation")
        return int(row["incarnation"])

    async def newest(self, instance_id: str) -> int:
        """The incarnation that is stored; 0 when none is."""
        row = await self._postgres.fetch_row("incarnation", instance_id)
        return int(row["incarnation"]) if row else 0

    async def known(self, topic: str, partitions: Sequence[int]) -> set[int]:
        """Those of `partitions` that have a claim row already."""
        rows = await self._postgres.fetch("claimed", topic, list(partitions))
        return {row["partition"] for row in rows}

    async def take(self, topic: str, starts: Mapping[int, int], owner: str) -> dict[int, Claim]:
        """A fresh token for each partition of `starts`; a row that was missing is made to begin
        at the offset given."""
        rows = await self._postgres.fetch(
            "take_claims", topic, list(starts), owner, list(starts.values())
        )
        return {
            row["partition"]: Claim(row["token"], row["next_offset"], row["published_offset"])
            for row in rows
        }

    async def advance(self, topic: str, claims: Mapping[int, Claim]) -> bool:
        """Store the positions; False, and nothing stored, if one of the claims was taken over."""
        row = await self._postgres.fetch_row(
            "advance_claims",
            topic,
            list(claims),
            [claim.token for claim in claims.values()],
            [claim.next_offset for claim in claims.values()],
            [claim.published_offset for claim in claims.values()],
        )
        return bool(row and row["held"])

    async def beat(
        self, instance_id: str, incarnation: int, owned: Mapping[str, Sequence[int]], problem: str
    ) -> bool:
        """Say that this process lives; False when a newer one has its id."""
        row = await self._postgres.fetch_row(
            "beat", instance_id, incarnation, json.dumps(owned), problem or None
        )
        return row is not None


def _version() -> str:
    """The version that this process runs."""
    return version("headgate")


def claim_columns(claims: Mapping[int, Claim], positions: Mapping[int, int]) -> list[object]:
    """What a fenced statement needs of the claims that it works under, as parallel columns:
    partitions, tokens, offsets behind the batch, and how far outputs are published."""
    return [
        list(claims),
        [claim.token for claim in claims.values()],
        [positions.get(partition, claim.next_offset) for partition, claim in claims.items()],
        [claim.published_offset for claim in claims.values()],
    ]
