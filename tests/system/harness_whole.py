"""A whole `headgate up` with a merchant and its receiver, and what must be true of its stores."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.client import Answer
from bench.load import Load, Sample, Target
from bench.merchant import Merchant, Receiver, new_merchant, receiving
from bench.system import System, started
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS
from tests.system.harness_log import reading
from tests.system.harness_place import Place, holds, until

STORY = ["created", "pending", "processing", "authorized", "captured", "success"]
"""The facts of a payment that succeeds, in order."""
PATIENCE_S = 90.0
"""How long a client repeats a request, and how long all effects may take."""


@dataclass(frozen=True)
class Whole:
    """Everything that `headgate up` runs, and a merchant who uses it."""

    system: System
    merchant: Merchant
    sink: Receiver
    place: Place

    async def pay(
        self, count: int, connections: int, rate: float | None = None
    ) -> tuple[str, list[Sample]]:
        """Create payments as a careful client does; the prefix of their orders, and the answers."""
        prefix = f"whole-{secrets.token_hex(4)}"
        load = Load(
            Target(*self.system.edge, connections),
            lambda number: self.merchant.payment(prefix, number),
            rate=rate,
            patience_s=PATIENCE_S,
        )
        return prefix, await load.run(range(count))

    async def kill(self, role: str) -> None:
        """kill -9, and wait until the supervisor has it running again."""
        before = (await self.system.processes())[role]
        os.kill(before["pid"], signal.SIGKILL)

        async def back() -> bool:
            now = (await self.system.processes())[role]
            return bool(now["restarts"] > before["restarts"] and now["pid"])

        await until(back, 60, f"{role} started again by the supervisor")

    async def supervisor(self) -> int:
        """The pid of `headgate up` itself."""
        return await self.system.supervisor()

    async def until_well(self) -> dict[str, int]:
        """Wait until every process is fine; how often each was started again."""

        async def well() -> bool:
            return all(each["health"] == "ok" for each in (await self.system.processes()).values())

        await until(well, 60, "every process fine again")
        return {role: each["restarts"] for role, each in (await self.system.processes()).items()}

    async def until_done(self, prefix: str, count: int, delivered: int) -> None:
        """Wait until all payments are final, delivered and shown as delivered; checks follow."""
        shown = (
            "select count(*) from webhook_deliveries d join payments p on p.id = d.payment_id "
            "where p.order_id like $1 and d.status = 'success'"
        )
        final = "select count(*) from payments where order_id like $1 and status <> 'pending'"

        async def done() -> bool:
            return (
                await self.place.number(final, f"{prefix}-%") >= count
                and (await self.sink.ask("stats"))["distinct"] >= delivered
                and await self.place.number(shown, f"{prefix}-%") >= count
            )

        await holds(done, PATIENCE_S)

    async def check(self, prefix: str, samples: Sequence[Sample]) -> None:
        """Every accepted payment is there once, with its facts, operations and webhook once."""
        refused = Counter(str(s.answer and s.answer.status) for s in samples if not s.accepted)
        assert not refused, f"not accepted: {dict(refused)}"
        answered = {
            f"{prefix}-{sample.number}": payment_in(sample.answer)
            for sample in samples
            if sample.answer is not None
        }
        rows = await self.place.rows(
            "select order_id, id, version, status, state from payments where order_id like $1",
            f"{prefix}-%",
        )
        stored = {row["order_id"]: row["id"] for row in rows}
        lost = [s for s in samples if f"{prefix}-{s.number}" not in stored]
        assert not lost, f"{len(lost)} of {len(samples)} payments lost: {lost[:3]}"
        other = [
            s
            for s in samples
            if stored[f"{prefix}-{s.number}"] != answered.get(f"{prefix}-{s.number}")
        ]
        assert not other, f"{len(other)} answers name other payments than stored: {other[:3]}"
        assert len(rows) == len(answered), "an order has two payments"
        ends = Counter(tuple(row)[2:] for row in rows)
        assert set(ends) == {(2, "success", "captured")}, f"payments ended as {ends}"
        await self._check_effects(sorted(answered.values()))

    async def _check_effects(self, payments: list[str]) -> None:
        """One story, one bank call and one delivery per payment."""
        facts = await self.place.rows(
            "select payment_id, sequence, type, event_id, payload from facts "
            "where payment_id = any($1) order by payment_id, sequence",
            payments,
        )
        stories: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for row in facts:
            stories[row["payment_id"]].append((row["sequence"], row["type"]))
        story = [(number, f"payment.{word}") for number, word in enumerate(STORY, start=1)]
        wrong = {one: stories[one] for one in payments if stories[one] != story}
        assert not wrong, f"{len(wrong)} payments have another story: {list(wrong.items())[:3]}"
        for table, each in (("operations", 2), ("acquirer_attempts", 1), ("webhook_deliveries", 1)):
            found = await self._per_payment(table, payments)
            wrong_counts = Counter(found.values())
            assert wrong_counts == {each: len(payments)}, f"{table} per payment: {wrong_counts}"
        await self._check_log({row["event_id"]: row["payload"] for row in facts})
        delivered = {row["event_id"] for row in facts if row["type"] == "payment.success"}
        missing = delivered - set(await self.sink.ask("seen"))
        assert not missing, f"{len(missing)} webhooks never arrived"
        assert (await self.sink.ask("stats"))["changed"] == 0

    async def _per_payment(self, table: str, payments: list[str]) -> dict[str, int]:
        rows = await self.place.rows(
            f"select payment_id, count(*) as n from {table} "  # noqa: S608  names of ours
            "where payment_id = any($1) group by payment_id",
            payments,
        )
        return {row["payment_id"]: row["n"] for row in rows}

    async def _check_log(self, stored: dict[str, bytes]) -> None:
        """Every stored fact is on the log with its bytes, at least once."""
        async with reading(self.place.settings, PAYMENT_FACTS) as log:
            await log.until_end()
        told: dict[str, set[bytes]] = defaultdict(set)
        for seen in log.of(PAYMENT_FACTS):
            told[json.loads(seen.value)["id"]].add(seen.value)
        wrong = [event for event, payload in stored.items() if told[event] != {payload}]
        assert not wrong, f"{len(wrong)} facts are missing or different on the log: {wrong[:3]}"

    async def longest_wait_s(self, prefix: str) -> float:
        """The longest time from a payment's command to the bank's answer, both on the log."""
        rows = await self.place.rows(
            "select extract(epoch from max(updated_at - created_at))::float8 as longest "
            "from payments where order_id like $1",
            f"{prefix}-%",
        )
        return float(rows[0]["longest"])


def payment_in(answer: Answer) -> str:
    """The payment that an answer is about: a 201 holds it, a 202 its operation."""
    body = json.loads(answer.body)
    return str(body.get("payment_id") or body["id"])


@asynccontextmanager
async def whole() -> AsyncIterator[Whole]:
    """A `headgate up` of its own, gone when the block ends."""
    async with started() as system, receiving() as sink:
        merchant = await new_merchant(system)
        await merchant.subscribe(f"http://127.0.0.1:{sink.port}/webhooks")
        addresses = system.addresses
        settings = Settings(kafka=addresses["kafka"], postgres=addresses["postgres"])
        yield Whole(system, merchant, sink, Place(settings, dict(system.environment)))


async def kill_each(subject: Whole, roles: Sequence[str], every_s: float) -> None:
    """Kill one role after the other, each when the one before has been started again."""
    for role in roles:
        await asyncio.sleep(every_s)
        await subject.kill(role)
