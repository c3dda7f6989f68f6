"""Mixed payments to be recorded, and `headgate replay` as a tester calls it."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.replay.capture_file import CaptureFile
from headgate.replay.capture_format import Header
from headgate.replay.log_source import LogSource
from headgate.replay.selection import Selection
from headgate.replay.wire import Answer, Connection, request_bytes
from headgate.streams.clock import iso, now_ms
from headgate.streams.topics import PAYMENT_COMMANDS, PAYMENT_FACTS
from tests.system.harness_log import reading
from tests.system.harness_place import until
from tests.system.harness_whole import Whole

CONNECTIONS = 32
REPLAY_WITHIN_S = 150.0
CARD = {"expiry_month": 12, "expiry_year": 2099, "cvv": "123"}
API = "/api/v1"
RUN = re.compile(r"\brun_[a-z2-7]+\b")

Body = dict[str, Any]


def card(number: str) -> Body:
    """The members of a payment by card."""
    return {"method": "card", "card": {"number": number, **CARD}}


def vpa(address: str) -> Body:
    """The members of a payment by UPI."""
    return {"method": "upi", "vpa": address}


class Shop:
    """A merchant who does all that merchants do, each time with a key of its own."""

    def __init__(self, subject: Whole, prefix: str) -> None:
        self._merchant = subject.merchant
        self._prefix = prefix
        self._idle: list[Connection] = []
        self.commands = 0
        """Requests that were taken."""

    async def ask(self, path: str, key: str, body: Body) -> Body:
        """A request that must be taken, or declined by the bank."""
        merchant = self._merchant
        connection = self._idle.pop() if self._idle else Connection(merchant.host, merchant.port)
        headers = {
            **merchant.headers, "Idempotency-Key": f"{self._prefix}-{key}", "Prefer": "wait=20",
        }  # fmt: skip
        host, raw = f"{merchant.host}:{merchant.port}", json.dumps(body).encode()
        answer: Answer = await connection.ask(request_bytes("POST", path, host, headers, raw))
        self._idle.append(connection)
        assert answer.status in (200, 201, 402), (path, body, answer.body)
        self.commands += 1
        told: Body = json.loads(answer.body)
        return told

    async def create(self, number: int, members: Body) -> str:
        """A payment, as it rests."""
        body = {"amount": 1000 + number, "order_id": f"{self._prefix}-{number}", **members}
        told = await self.ask(f"{API}/payments", f"{number}", body)
        return str(told.get("id") or told["payment_id"])

    async def of(self, payment_id: str, what: str, number: int, body: Body) -> Body:
        """Something about a payment."""
        return await self.ask(f"{API}/payments/{payment_id}/{what}", f"{number}-{what}", body)

    async def approved(self, number: int) -> None:
        """Paid, and that is all."""
        await self.create(number, vpa("success@upi"))

    async def declined(self, number: int) -> None:
        """The account is empty."""
        await self.create(number, card("4000000000009995"))

    async def captured(self, number: int) -> None:
        """Held, then taken in two parts."""
        held = {
            "capture_method": "manual", "capture_at": iso(now_ms() + 3_600_000),
            **card("4242424242424242"),
        }  # fmt: skip
        payment_id = await self.create(number, held)
        await self.of(payment_id, "capture", number, {"amount": 400, "final": False})
        await self.ask(f"{API}/payments/{payment_id}/capture", f"{number}-rest", {})

    async def refunded(self, number: int) -> None:
        """Paid, and given back."""
        payment_id = await self.create(number, vpa("success@upi"))
        await self.of(payment_id, "refunds", number, {"full": True})

    async def canceled(self, number: int) -> None:
        """Held, and let go."""
        held = {"capture_method": "manual", **card("5555555555554444")}
        payment_id = await self.create(number, held)
        await self.of(payment_id, "cancel", number, {"reason": "out of stock"})

    async def in_doubt(self, number: int) -> None:
        """The bank does not answer, and knows of nothing a second later."""
        await self.create(number, card("4000000000010027"))

    async def partly_refunded(self, number: int) -> None:
        """Paid, and given back in part, twice."""
        payment_id = await self.create(number, vpa("success@upi"))
        for part in (1, 2):
            refund = {"amount": 100, "reason": f"part {part}"}
            await self.ask(f"{API}/payments/{payment_id}/refunds", f"{number}-part-{part}", refund)


def mix(shop: Shop) -> list[Callable[[int], Awaitable[None]]]:
    """What every ten payments are."""
    return [
        shop.approved, shop.captured, shop.approved, shop.declined, shop.refunded,
        shop.approved, shop.in_doubt, shop.approved, shop.canceled, shop.partly_refunded,
    ]  # fmt: skip


async def make_mixed(subject: Whole, payments: int) -> Shop:
    """So many mixed payments, made and brought to rest."""
    shop = Shop(subject, f"mixed-{secrets.token_hex(4)}")
    kinds, numbers = mix(shop), iter(range(payments))

    async def work() -> None:
        for number in numbers:
            await kinds[number % len(kinds)](number)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())
    return shop


@dataclass(frozen=True)
class Said:
    """What a `headgate` command said, and how it ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"

    @property
    def run_id(self) -> str:
        """The run that it was about."""
        found = RUN.search(self.err + self.out)
        assert found is not None, self
        return found.group()


async def headgate(subject: Whole, *words: str, within_s: float = REPLAY_WITHIN_S) -> Said:
    """Run the command line beside the running system."""
    running = await start(subject, *words)
    try:
        out, err = await asyncio.wait_for(running.communicate(), within_s)
    finally:
        if running.returncode is None:
            running.kill()
    return Said(running.returncode or 0, out.decode(), err.decode())


async def start(subject: Whole, *words: str) -> asyncio.subprocess.Process:
    """Begin to."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate", *words,
        env=dict(subject.system.environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def target(subject: Whole) -> tuple[str, ...]:
    """The options that name the running edge."""
    host, port = subject.system.edge
    return ("--to", f"http://{host}:{port}")


async def captured(subject: Whole, folder: Path) -> Path:
    """All that is on the log, in a file."""
    settings = subject.place.settings
    header = Header(
        headgate="tests",
        namespace=settings.namespace,
        partitions=settings.partitions,
        topics=(PAYMENT_COMMANDS.name, PAYMENT_FACTS.name),
        began_at=iso(now_ms()),
    )
    file = CaptureFile(folder / "capture.ndjson.zst", header)
    async for record in LogSource(settings, Selection()).records():
        file.write(record)
    file.finish()
    return file.path


STORED = (
    "payments", "facts", "operations", "payment_children", "acquirer_attempts",
    "webhook_deliveries", "webhook_attempts", "webhook_events",
)  # fmt: skip
"""Every table that a payment can add a row to."""


async def stored(subject: Whole) -> dict[str, int]:
    """Rows by table, records of the facts' topic, and webhooks that the merchant received: asked of
    the stores themselves."""
    counts = {
        table: await subject.place.number(f"select count(*) from {table}")  # noqa: S608
        for table in STORED
    }
    moved = "select coalesce(sum(version), 0)::bigint from payments"
    counts["versions"] = await subject.place.number(moved)
    async with reading(subject.place.settings, PAYMENT_FACTS) as log:
        await log.until_end()
    counts["facts on the log"] = len(log.of(PAYMENT_FACTS))
    counts["webhooks"] = (await subject.sink.ask("stats"))["requests"]
    return counts


def answers(subject: Whole, run_id: str) -> int:
    """How many steps a run's journal has."""
    folder = Path(subject.system.environment["HEADGATE_STATE_DIR"]) / "replays"
    journal = folder / f"{run_id}.answers"
    return len(journal.read_bytes().splitlines()) if journal.exists() else 0


async def until_answered(subject: Whole, run_id: str, least: int, within_s: float = 60) -> None:
    """Wait until a run has come so far."""

    async def there() -> bool:
        return answers(subject, run_id) >= least

    await until(there, within_s, f"{least} answers of {run_id}")


async def ended(running: asyncio.subprocess.Process, within_s: float = REPLAY_WITHIN_S) -> Said:
    """What a command that was started says in the end."""
    out, err = await asyncio.wait_for(running.communicate(), within_s)
    return Said(running.returncode or 0, out.decode(), err.decode())
