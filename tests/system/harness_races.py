"""Fifty clients who all want the same money at once, round after round, and what must be true."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Answer, Connection, request_bytes
from headgate.embedded.stack import Stack
from headgate.tables.merchants import DEMO_SECRET
from tests.system.harness_edge import running_edge, with_demo
from tests.system.harness_place import Place, opened, until
from tests.system.harness_workers import Workers, two_workers

RACERS = 50
LANES = 4
"""Rounds that run beside each other."""
AMOUNT = 50_000
PATIENCE_S = 90.0
PAUSE_S = 0.05
PAYMENTS = "/api/v1/payments"


class Racer:
    """One client with a connection of its own. It repeats, byte for byte and so with the same key,
    what had no final answer: what a careful client does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = Connection("127.0.0.1", port)

    async def ask(self, method: str, path: str, key: str = "", body: object = None) -> Answer:
        """The final answer. 202 and 409 say that it is still to come, 5xx to try again."""
        headers = {"Authorization": f"Bearer {DEMO_SECRET}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        sent = b"" if body is None else json.dumps(body).encode()
        request = request_bytes(method, path, f"127.0.0.1:{self._port}", headers, sent)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    answer = await self._connection.ask(request)
                except (OSError, TimeoutError):
                    self._connection.close()
                else:
                    if answer.status not in (202, 409) and answer.status < 500:
                        return answer
                await asyncio.sleep(PAUSE_S)

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()


@dataclass
class Races:
    """The rounds, and what was seen in them."""

    place: Place
    port: int
    rounds: int = 0
    finished: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    payments: list[str] = field(default_factory=list)

    async def run(self, count: int) -> None:
        """So many rounds, a few at once."""
        numbers = iter(range(self.rounds, self.rounds + count))
        self.rounds += count
        async with asyncio.TaskGroup() as group:
            for _ in range(LANES):
                group.create_task(self._lane(numbers))

    async def _lane(self, numbers: Iterator[int]) -> None:
        racers = [Racer(self.port) for _ in range(RACERS)]
        for number in numbers:
            await self._round(racers, number)
            self.finished += 1
        for racer in racers:
            racer.close()

    async def _round(self, racers: Sequence[Racer], number: int) -> None:
        """Create, capture, refund: each fifty times at once."""
        body = {
            "amount": AMOUNT,
            "order_id": f"race-{number}",
            "method": "upi",
            "vpa": "success@upi",
            "capture_method": "manual",
        }
        created = await self._all(racers, "create", PAYMENTS, lambda _: f"race-{number}", body)
        [payment] = {json.loads(answer.body)["id"] for answer in created}
        assert {answer.status for answer in created} == {201}
        self.payments.append(payment)
        await self._until(racers[0], payment, "authorized")
        path = f"{PAYMENTS}/{payment}/capture"
        captured = await self._all(racers, "capture", path, lambda n: f"c-{number}-{n}", {})
        _one_wins(captured, "capture", {"payment_not_capturable", "payment_already_captured"})
        await self._until(racers[0], payment, "captured")
        path = f"{PAYMENTS}/{payment}/refunds"
        refunded = await self._all(
            racers, "refund", path, lambda n: f"r-{number}-{n}", {"amount": AMOUNT}
        )
        _one_wins(refunded, "refund", {"refund_exceeds_refundable"})

    async def _all(
        self,
        racers: Sequence[Racer],
        what: str,
        path: str,
        key: Callable[[int], str],
        body: object,
    ) -> list[Answer]:
        asked = [racer.ask("POST", path, key(n), body) for n, racer in enumerate(racers)]
        answers = await asyncio.gather(*asked)
        self.statuses.update(f"{what} {answer.status}" for answer in answers)
        return list(answers)

    async def _until(self, racer: Racer, payment: str, state: str) -> None:
        async def reached() -> bool:
            answer = await racer.ask("GET", f"{PAYMENTS}/{payment}")
            return bool(json.loads(answer.body)["state"] == state)

        await until(reached, PATIENCE_S, f"{payment} {state}")

    async def check(self) -> None:
        """In the store too, each thing happened once, and no fact is missing."""
        assert len(set(self.payments)) == self.rounds
        await self._check_children()
        await self._check_stories()

    async def _check_children(self) -> None:
        done = (
            "select count(*) from payment_children where payment_id = any($1) "
            "and state = 'succeeded' and amount = $2"
        )

        async def all_done() -> bool:
            found = await self.place.number(done, self.payments, AMOUNT)
            return found == 2 * self.rounds

        await until(all_done, PATIENCE_S, f"{2 * self.rounds} captures and refunds done")
        rows = await self.place.rows(
            "select kind, count(*) as n, count(distinct payment_id) as of from payment_children "
            "where payment_id = any($1) group by kind",
            self.payments,
        )
        found = {row["kind"]: (row["n"], row["of"]) for row in rows}
        assert found == dict.fromkeys(("capture", "refund"), (self.rounds, self.rounds))
        calls = "select count(*) from acquirer_attempts where payment_id = any($1)"
        assert await self.place.number(calls, self.payments) == 3 * self.rounds

    async def _check_stories(self) -> None:
        rows = await self.place.rows(
            "select payment_id, count(*) as n, max(sequence) as last, "
            "count(distinct sequence) as d "
            "from facts where payment_id = any($1) group by payment_id",
            self.payments,
        )
        assert len(rows) == self.rounds
        assert all(row["n"] == row["last"] == row["d"] for row in rows)
        rows = await self.place.rows(
            "select type, count(*) filter (where refusal is null) as won, count(*) as asked "
            "from operations where payment_id = any($1) group by type",
            self.payments,
        )
        found = {row["type"]: (row["won"], row["asked"]) for row in rows}
        assert found["payment.create"] == (self.rounds, self.rounds)
        assert found["payment.refund"] == (self.rounds, RACERS * self.rounds)
        assert found["payment.capture"][1] == RACERS * self.rounds


def _one_wins(answers: Sequence[Answer], made: str, codes: set[str]) -> None:
    """One client made it; the others hear why not. A capture of what is captured already is told
    as done (01 §7.1), but makes nothing."""
    bodies = [json.loads(answer.body) for answer in answers]
    winners = [body for body in bodies if made in body or body.get("object") == made]
    assert len(winners) == 1, Counter(answer.status for answer in answers)
    losers = [body for body in bodies if body not in winners]
    refused = [body for body in losers if body.get("object") != "payment"]
    assert len(refused) == len(losers) or made == "capture"
    assert {body["status"] for body in refused} <= {400}
    assert {body["code"] for body in refused} <= codes


@asynccontextmanager
async def racing(stack: Stack, logs: Path) -> AsyncIterator[tuple[Races, Workers]]:
    """An edge, two settle workers that may be broken, and a bank."""
    async with opened(stack) as place:
        await with_demo(place)
        banks = Workers(place, "acquire", logs)
        try:
            async with (
                two_workers(place, "settle", logs) as workers,
                running_edge(place, logs) as edge,
            ):
                await banks.start(0)
                await banks.until_only(0)
                yield Races(place, edge.port), workers
            await banks.stop()
        finally:
            banks.kill()
