"""Lanes on real parts: a receiver that is down is left alone, and everything arrives afterwards."""

from __future__ import annotations

import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import encode, fact_headers
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.facts import Fact
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.topics import PAYMENT_FACTS
from headgate.tables import merchants
from headgate.tables.notices import cancel
from headgate.tables.payments import decide
from headgate.tables.postgres import Postgres, statements
from tests.system.harness_commands import approval, create, publishing
from tests.system.harness_place import Place, holds, opened, until
from tests.system.harness_receiver import Receiver, receiving
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.timeout(180)]

FACTS = 200
PATIENCE_S = 90.0
QUICK = {"HEADGATE_WEBHOOK_PROBE_WAIT_S": "1", "HEADGATE_WEBHOOK_PROBE_WAIT_MAX_S": "1"}
BY_STATUS = "select count(*) from webhook_deliveries where status = $1"


@dataclass
class Shop:
    """A merchant with one endpoint, and the worker that posts to it."""

    place: Place
    bus: Bus
    workers: Workers
    receiver: Receiver
    merchant_id: str = ""
    endpoint_id: str = ""

    async def open(self) -> None:
        postgres = Postgres(self.place.settings)
        try:
            pair = await merchants.create(postgres, "Shop", "shop@example.com", "test")
        finally:
            await postgres.close()
        self.merchant_id, self.endpoint_id = pair.merchant_id, ids.draw_id("ep_")
        sealed = SecretBox(self.place.settings.secret_key).seal(draw_webhook_secret())
        url = f"http://127.0.0.1:{self.receiver.port}/hook"
        await self.place.rows(
            statements()["set_default_endpoint"],
            *(self.endpoint_id, self.merchant_id, "test", url, sealed, ["payment.success"]),
        )
        await self.configure("schedule = 'custom', waits_ms = '{1000,1000,1000,1000}'")

    async def configure(self, what: str) -> None:
        """Configure the endpoint."""
        await self.place.rows(f"update webhook_endpoints set {what}")  # noqa: S608
        await self.place.rows(statements()["bump_configuration"])

    async def tell(self, first: int, last: int) -> set[str]:
        """Publish the facts of these payments; their ids."""
        facts = [_success(self.merchant_id, number) for number in range(first, last)]
        await self.bus.publish_until_acked([self._record(fact) for fact in facts])
        return {fact.id for fact in facts}

    def _record(self, fact: Fact) -> Record:
        payment_id, settings = fact.data.payment.id, self.place.settings
        return Record(
            PAYMENT_FACTS.full_name(settings),
            ids.partition_of(payment_id, settings.partitions),
            payment_id.encode(),
            encode(fact),
            fact_headers(fact, self.merchant_id),
        )

    async def count(self, status: str) -> int:
        return await self.place.number(BY_STATUS, status)

    async def until_count(self, status: str, count: int) -> None:
        async def reached() -> bool:
            return await self.count(status) >= count

        if not await holds(reached, PATIENCE_S):
            pytest.fail(f"no {count} {status}: {await self.state()}{self.workers.tails()}")

    async def state(self) -> str:
        """What became of the deliveries, for the message of a failed test."""
        found = [
            *await self.place.rows("select status, count(*) from webhook_deliveries group by 1"),
            *await self.place.rows(
                "select why, released < hold as waits, max(hold), count(*) from held_deliveries"
                " group by 1, 2"
            ),
        ]
        return "; ".join(str(tuple(row)) for row in found)

    async def cancel(self, event_id: str) -> None:
        """The command that the edge publishes."""
        (row,) = await self.place.rows(
            "select * from webhook_deliveries where event_id = $1", event_id
        )
        wanted = DeliveryWanted(
            delivery_id=row["id"],
            event_id=row["event_id"],
            endpoint_id=row["endpoint_id"],
            merchant_id=row["merchant_id"],
            payment_id=row["payment_id"],
            mode=row["mode"],
            type=row["type"],
            token="asked",
            body="",
            created_at_ms=round(row["created_at"].timestamp() * 1000),
        )
        await self.bus.publish_until_acked([cancel(wanted, "nonce", self.place.settings)])

    async def kill(self) -> None:
        """kill -9 of the worker, and another one."""
        self.workers.newest[0].send(signal.SIGKILL)
        await self.workers.newest[0].ended()
        await self.workers.start(0)
        await self.workers.until_only(0)


def _success(merchant_id: str, number: int) -> Fact:
    """The success of the payment of this number."""
    at_ms = now_ms()
    created = decide(None, create(number, merchant_id), at_ms=at_ms)
    return decide(created.payment, approval(number, merchant_id=merchant_id), at_ms=at_ms).facts[-1]


@asynccontextmanager
async def opened_shop(stack: Stack, logs: Path) -> AsyncIterator[Shop]:
    async with (
        opened(stack, **QUICK) as place,
        receiving() as receiver,
        publishing(place.settings) as bus,
    ):
        workers = Workers(place, "notify", logs)
        shop = Shop(place, bus, workers, receiver)
        await shop.open()
        try:
            await workers.start(0)
            await workers.until_only(0)
            yield shop
            workers.assert_no_surprise()
            await workers.stop()
        finally:
            workers.kill()


async def test_a_receiver_that_is_down_is_probed_and_gets_everything_when_it_is_back(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened_shop(stack, tmp_path) as shop:
        shop.receiver.answer = lambda _: 500
        events = await shop.tell(0, FACTS)
        await shop.until_count("held", FACTS - 20)
        # Eight at once until the breaker opens, then a probe a second: nothing near all of them.
        assert len(shop.receiver.posts) < FACTS / 2
        await shop.kill()
        shop.receiver.answer = lambda _: 200
        await shop.until_count("success", FACTS)
        assert shop.receiver.accepted == events
        assert shop.receiver.under_way_most <= 8

        async def none_held() -> bool:
            return not await shop.place.number("select count(*) from held_deliveries")

        await until(none_held, PATIENCE_S, "nothing held")


async def test_in_order_one_after_the_other_through_failures_and_kill_9_08_r32(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened_shop(stack, tmp_path) as shop:
        await shop.configure("fifo = true")
        seen = itertools.count(1)
        shop.receiver.answer = lambda _: 500 if next(seen) % 25 == 0 else 200
        told = await shop.tell(0, 60)
        await shop.until_count("success", 20)
        await shop.kill()
        await shop.until_count("success", 60)
        assert shop.receiver.accepted == told
        assert shop.receiver.under_way_most == 1
        posted = [
            event for event, _ in itertools.groupby(event for event, _ in shop.receiver.posts)
        ]
        # A repeat after kill -9 may come after one that had followed it, at most once here.
        assert len(posted) - len(set(posted)) <= 1, "somebody overtook a head that had failed"


async def test_parked_while_disabled_released_when_enabled_canceled_on_command_08_r31(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened_shop(stack, tmp_path) as shop:
        shop.receiver.answer = lambda _: 500
        events = await shop.tell(0, 10)
        await shop.until_count("held", 5)
        await shop.configure("enabled = false, disabled_reason = 'merchant'")
        await shop.until_count("parked", 10)
        posts = len(shop.receiver.posts)
        await shop.cancel(min(events))
        await shop.until_count("canceled", 1)
        shop.receiver.answer = lambda _: 200
        await shop.configure("enabled = true, disabled_reason = null")
        await shop.until_count("success", 9)
        assert shop.receiver.accepted == events - {min(events)}
        assert len(shop.receiver.posts) == posts + 9, "each once"


async def test_410_disables_the_endpoint_and_a_deleted_one_cancels_08_r31(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened_shop(stack, tmp_path) as shop:
        shop.receiver.answer = lambda _: 500
        await shop.tell(0, 10)
        await shop.until_count("held", 5)
        gone = "select count(*) from webhook_endpoints where disabled_reason = 'gone'"

        async def disabled() -> bool:
            return await shop.place.number(gone) == 1

        shop.receiver.answer = lambda _: 410
        await until(disabled, PATIENCE_S, "410 disables")
        await shop.until_count("parked", 9)
        await shop.configure("deleted_at = now()")
        await shop.until_count("canceled", 9)
        assert await shop.count("failed") == 1
