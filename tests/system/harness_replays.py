"""A merchant with a past: what was told about its payments, and replays of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.tables import merchants, replays
from headgate.tables.configuration import Endpoint
from headgate.tables.postgres import Postgres, statements
from headgate.tables.replays import ReplayWanted, StoredReplay

TYPES = ("payment.created", "payment.success")
"""The facts of every payment, one second after each other."""
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
"""When the first payment was created; each next one a minute later."""
_numbers = itertools.count(1)


class Past:
    """A merchant of a namespace's database, with payments that nobody has sent webhooks about."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.postgres = Postgres(settings)
        self.merchant_id = ""
        self.count = 0

    async def open(self) -> None:
        """Make the merchant."""
        name = f"shop{next(_numbers)}@example.com"
        pair = await merchants.create(self.postgres, "Shop", name, "test")
        self.merchant_id = pair.merchant_id

    async def add_endpoint(self, url: str = "https://shop.example/", *types: str) -> str:
        """An endpoint for these types, or for every payment's success."""
        endpoint_id = f"whe_{next(_numbers)}"
        sealed = SecretBox(self.settings.secret_key).seal(draw_webhook_secret())
        await self.execute(
            "insert into webhook_endpoints(id, merchant_id, mode, url, sealed_secret, event_types)"
            " values($1, $2, 'test', $3, $4, $5)",
            *(endpoint_id, self.merchant_id, url, sealed, list(types or (TYPES[1],))),
        )
        await self.execute(statements()["bump_configuration"])
        return endpoint_id

    async def disable(self, endpoint_id: str) -> None:
        """Take the endpoint out of service."""
        await self.execute(
            "update webhook_endpoints set enabled = false where id = $1", endpoint_id
        )
        await self.execute(statements()["bump_configuration"])

    async def add_payments(self, count: int) -> None:
        """Payments that were created and succeeded, as settle leaves them behind."""
        whose, partitions = self.merchant_id, self.settings.partitions
        numbers = list(range(self.count, self.count + count))
        self.count += count
        at = [BEGINNING + timedelta(minutes=number) for number in numbers]
        payments = [f"pay_{whose}_{number}" for number in numbers]
        async with self.postgres.connection() as connection, connection.transaction():
            await connection.executemany(
                "insert into operations(command_id, payment_id, merchant_id, type, first_sequence,"
                ' last_sequence, requests, partition, "offset", created_at, mode)'
                " values('cmd_' || $1, $1, $2, 'payment.create', 1, 2, '[]', $3, $4, $5, 'test')",
                [
                    (payment, whose, number % partitions, number // partitions, when)
                    for payment, number, when in zip(payments, numbers, at, strict=True)
                ],
            )
            await connection.executemany(
                "insert into facts(payment_id, sequence, event_id, type, payload, created_at)"
                " values($1, $2, $3, $4, $5, $6)",
                [
                    (payment, place, event := event_id(whose, number, kind), kind,
                     f'{{"id":"{event}"}}'.encode(), when + timedelta(seconds=place - 1))
                    for payment, number, when in zip(payments, numbers, at, strict=True)
                    for place, kind in enumerate(TYPES, start=1)
                ],
            )  # fmt: skip
            await connection.executemany(
                "insert into claims(topic, partition, token, owner, next_offset, published_offset)"
                " values('payments.commands', $1, gen_random_uuid(), 'test', $2, $2)"
                " on conflict (topic, partition) do update set next_offset = $2",
                [(partition, 1 + self.count // partitions) for partition in range(partitions)],
            )

    async def add_deliveries(self, endpoint_id: str, numbers: Sequence[int], status: str) -> None:
        """Deliveries of the success of these payments, as notify leaves them behind."""
        whose = self.merchant_id
        async with self.postgres.connection() as connection:
            await connection.executemany(
                "insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode,"
                " payment_id, type, status, attempts, created_at)"
                " values($1, $2, $3, $4, 'test', $5, $6, $7, 5, $8)",
                [
                    (f"dlv_{next(_numbers)}", event_id(whose, number), endpoint_id, whose,
                     f"pay_{whose}_{number}", TYPES[1], status,
                     BEGINNING + timedelta(minutes=number))
                    for number in numbers
                ],
            )  # fmt: skip

    async def replay(self, endpoint_id: str, **members: object) -> StoredReplay:
        """A replay of everything, unless told otherwise."""
        number = next(_numbers)
        given: dict[str, object] = {
            "id": f"rpl_{number:026}",
            "merchant_id": self.merchant_id,
            "mode": "test",
            "endpoint_id": endpoint_id,
            "which": "all",
            "types": (TYPES[1],),
            "from_at": BEGINNING,
            "to_at": datetime.now(UTC) + timedelta(days=1),
            "rate_per_s": None,
            "dry_run": False,
            "actor": "test",
            "request": str(number),
        }
        wanted = ReplayWanted(**{**given, **members})  # type: ignore[arg-type]
        made = await replays.create(self.postgres, wanted, self.settings.replays_unfinished_max)
        return made.replay

    async def now(self, replay: StoredReplay) -> StoredReplay:
        """The replay as it is now."""
        found = await replays.find(self.postgres, replay.id, (self.merchant_id, "test"))
        assert found is not None
        return found

    async def execute(self, sql: str, *arguments: object) -> None:
        """Change something."""
        async with self.postgres.connection() as connection:
            await connection.execute(sql, *arguments)

    async def rows(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Look at something."""
        async with self.postgres.connection() as connection:
            return list(await connection.fetch(sql, *arguments))


def event_id(merchant_id: str, number: int, kind: str = TYPES[1]) -> str:
    """The event about the payment of this number."""
    return f"evt_{merchant_id}_{number}_{TYPES.index(kind) + 1}"


def endpoint(endpoint_id: str, merchant_id: str, **members: object) -> Endpoint:
    """An endpoint as workers know it."""
    given: dict[str, object] = {
        "id": endpoint_id,
        "merchant_id": merchant_id,
        "mode": "test",
        "is_default": False,
        "url": "https://shop.example/",
        "sealed_secret": "sealed",
        "event_types": (TYPES[1],),
        "enabled": True,
    }
    return Endpoint.model_validate({**given, **members})
