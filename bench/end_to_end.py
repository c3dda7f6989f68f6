"""Payments per second from the REST API to the merchant's webhook, and what each one costs.

python -m bench.end_to_end                        5,000 payments over 32 connections
python -m bench.end_to_end --rate 200 --seconds 20    accept latency at a steady pace
python -m bench.end_to_end --running --json       against a running `headgate up`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import uvloop

from bench.load import Load, Sample, Target
from bench.merchant import Merchant, Receiver, new_merchant, receiving
from bench.processes import cpu_s, family_of, machine_cpu_s
from bench.report import Report
from bench.system import ROLES, System, found, started

POLL_S = 0.25
STOPPED = 128 + signal.SIGTERM
FINAL = "select count(*) from headgate.payments where order_id like $1 and status <> 'pending'"


@dataclass(frozen=True)
class Bench:
    """Everything that a run needs."""

    system: System
    merchant: Merchant
    sink: Receiver
    pids: dict[str, int]

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far: by every role with its children, the load and the sink."""
        used = {role: cpu_s(family_of(pid)) for role, pid in self.pids.items()}
        return used | {
            "load generator": cpu_s([os.getpid()]),
            "webhook receiver": cpu_s([self.sink.pid]),
            "machine": machine_cpu_s(),
        }

    async def pay(
        self, options: argparse.Namespace, count: int, rate: float | None = None
    ) -> Report:
        """Send `count` payments, wait until all are final and delivered, and say how it went."""
        prefix = f"bench-{secrets.token_hex(4)}"
        before, delivered_before = self.cpu(), (await self.sink.ask("stats"))["distinct"]
        target = Target(*self.system.edge, options.connections)
        load = Load(target, lambda n: self.merchant.payment(prefix, n), rate=rate)
        began = time.perf_counter()
        accepting = asyncio.create_task(load.run(range(count)))
        settled_s, delivered_s = await asyncio.gather(
            self._until_settled(prefix, count, began, options.patience),
            self._until_delivered(delivered_before + count, began, options.patience),
        )
        samples = await accepting
        after = self.cpu()
        return Report(
            payments=count,
            connections=options.connections,
            rate=rate,
            accepted=sum(sample.accepted for sample in samples),
            statuses=_statuses(samples),
            settled_s=settled_s,
            delivered_s=delivered_s,
            repeats=(await self.sink.ask("stats"))["repeats"],
            latencies_s=[sample.seconds for sample in samples if sample.accepted],
            cpu_s={name: after[name] - before[name] for name in after},
        )

    async def _until_settled(
        self, prefix: str, count: int, began: float, within_s: float
    ) -> float | None:
        """Seconds until all payments were final in PostgreSQL; None when they were not."""
        store = await asyncpg.connect(self.system.addresses["postgres"])
        try:
            while await store.fetchval(FINAL, f"{prefix}-%") < count:
                if time.perf_counter() - began > within_s:
                    return None
                await asyncio.sleep(POLL_S)
            return time.perf_counter() - began
        finally:
            await store.close()

    async def _until_delivered(self, count: int, began: float, within_s: float) -> float | None:
        """Seconds until the sink had all webhooks; None when it had not."""
        while (await self.sink.ask("stats"))["distinct"] < count:
            if time.perf_counter() - began > within_s:
                return None
            await asyncio.sleep(POLL_S)
        return time.perf_counter() - began


def _statuses(samples: list[Sample]) -> dict[str, int]:
    return dict(Counter(str(s.answer.status) if s.answer else "no answer" for s in samples))


@asynccontextmanager
async def prepared(options: argparse.Namespace) -> AsyncIterator[Bench]:
    """The system, a merchant of its own, and its receiver."""
    async with _system(options) as system, receiving() as sink:
        merchant = await new_merchant(system)
        await merchant.subscribe(f"http://127.0.0.1:{sink.port}/webhooks")
        processes = await system.processes()
        yield Bench(system, merchant, sink, {role: processes[role]["pid"] for role in ROLES})


@asynccontextmanager
async def _system(options: argparse.Namespace) -> AsyncIterator[System]:
    if options.running:
        yield await found()
        return
    async with started() as system:
        yield system


async def run(options: argparse.Namespace) -> int:
    """Warm up, measure, print. Exit code 1 when not every payment arrived."""
    if task := asyncio.current_task():  # What was started is stopped, also after `kill`.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    count = round(options.rate * options.seconds) if options.rate else options.payments
    async with prepared(options) as bench:
        if options.warm_up:
            await bench.pay(options, options.warm_up)
        report = await bench.pay(options, count, options.rate)
    print(report.as_json() if options.json else report.as_table())
    return 0 if report.complete else 1


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.end_to_end", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--payments", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--warm-up", type=int, default=1000, help="payments before the count")
    parser.add_argument("--rate", type=float, help="payments per second, instead of all at once")
    parser.add_argument("--seconds", type=float, default=20, help="with --rate: for how long")
    parser.add_argument("--patience", type=float, default=120, help="seconds until all must be in")
    parser.add_argument("--running", action="store_true", help="use the `headgate up` that runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    try:
        return uvloop.run(run(parser.parse_args()))
    except asyncio.CancelledError:
        return STOPPED


if __name__ == "__main__":
    raise SystemExit(main())
