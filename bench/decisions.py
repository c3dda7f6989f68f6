"""How long a refund waits for its decision, while payments are taken at the same pace.

python -m bench.decisions                         200 refunds/s beside 200 payments/s, 20 s
python -m bench.decisions --rate 100 --seconds 60
python -m bench.decisions --running --json        against a running `headgate up`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import orjson
import uvloop

from bench.end_to_end import STOPPED, Bench, prepared
from bench.load import Load, Sample, Target, percentile
from bench.report import APART

CAPTURED = "select count(*) from headgate.payments where order_id like $1 and state = 'captured'"
PROCESSED = (
    "select count(*) from headgate.payment_children c join headgate.payments p "
    "on p.id = c.payment_id where p.order_id like $1 and c.state = 'succeeded'"
)
POLL_S = 0.25
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Figures:
    """What came out of one run."""

    rate: float
    seconds: float
    refunds: Sequence[Sample]
    payments: Sequence[Sample]
    processed: bool
    cpu_s: Mapping[str, float]

    @property
    def complete(self) -> bool:
        """Whether every refund and payment was answered 201, and every refund was processed."""
        every = [*self.refunds, *self.payments]
        return self.processed and all(s.answer and s.answer.status == 201 for s in every)

    def document(self) -> dict[str, object]:
        """The figures by name; CPU is per unit: one payment and one refund."""
        units = len(self.refunds)
        cpu = {name: 1000 * used / units for name, used in self.cpu_s.items()}
        cpu["Headgate"] = sum(used for name, used in cpu.items() if name not in APART)
        known = cpu["Headgate"] + cpu["load generator"] + cpu["webhook receiver"]
        cpu["others"] = max(0.0, cpu.pop("machine") - known)
        decision, accept = _ms(self.refunds), _ms(self.payments)
        return {
            "refunds_per_s": self.rate,
            "payments_per_s": self.rate,
            "units": units,
            "statuses": {
                "refunds": _statuses(self.refunds),
                "payments": _statuses(self.payments),
            },
            "decision_ms": decision,
            "accept_ms": accept,
            "decision_to_accept_p99": round(decision["p99"] / accept["p99"], 2),
            "processed": self.processed,
            "cpu_ms_per_unit": {name: round(used, 3) for name, used in cpu.items()},
        }


def _ms(samples: Sequence[Sample]) -> dict[str, float]:
    seconds = [sample.seconds for sample in samples]
    return {name: round(1000 * percentile(seconds, share), 2) for name, share in SHARES.items()}


def _statuses(samples: Sequence[Sample]) -> dict[str, int]:
    return dict(Counter(str(s.answer.status) if s.answer else "no answer" for s in samples))


def _table(document: Mapping[str, object]) -> str:
    lines = []
    for name, value in document.items():
        shown = value
        if isinstance(value, dict):
            shown = "   ".join(f"{each} {number}" for each, number in value.items())
        lines.append(f"{name:24} {shown}")
    return "\n".join(lines)


async def _until(bench: Bench, query: str, prefix: str, count: int, within_s: float) -> bool:
    """Whether PostgreSQL counts so many within the time."""
    store = await asyncpg.connect(bench.system.addresses["postgres"])
    try:
        async with asyncio.timeout(within_s):
            while True:
                if await store.fetchval(query, f"{prefix}-%") >= count:
                    return True
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    finally:
        await store.close()


async def _captured(
    bench: Bench, options: argparse.Namespace, prefix: str, count: int
) -> dict[int, str]:
    """The ids of so many payments that can be refunded."""
    target = Target(*bench.system.edge, options.connections)
    load = Load(target, lambda n: bench.merchant.payment(prefix, n))
    samples = await load.run(range(count))
    if not await _until(bench, CAPTURED, prefix, count, options.patience):
        raise RuntimeError("the payments that were to be refunded were not captured in time")
    return {s.number: orjson.loads(s.answer.body)["id"] for s in samples if s.answer}


async def measure(bench: Bench, options: argparse.Namespace, seconds: float) -> Figures:
    """Refund and pay at the pace, and say how it went."""
    count = round(options.rate * seconds)
    mark = secrets.token_hex(4)
    paid = await _captured(bench, options, f"paid-{mark}", count)
    target = Target(*bench.system.edge, options.connections)
    refunding = Load(
        target,
        lambda n: bench.merchant.refund(paid[n], f"refund-{mark}-{n}"),
        rate=options.rate,
        open_loop=True,
    )
    paying = Load(
        target,
        lambda n: bench.merchant.payment(f"beside-{mark}", n),
        rate=options.rate,
        open_loop=True,
    )
    before = bench.cpu()
    refunds, payments = await asyncio.gather(refunding.run(range(count)), paying.run(range(count)))
    processed = await _until(bench, PROCESSED, f"paid-{mark}", count, options.patience)
    after = bench.cpu()
    used = {name: after[name] - before[name] for name in after}
    return Figures(options.rate, seconds, refunds, payments, processed, used)


async def run(options: argparse.Namespace) -> int:
    """Warm up, measure, print. Exit code 1 when not everything was decided and processed."""
    if task := asyncio.current_task():  # What was started is stopped, also after `kill`.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with prepared(options) as bench:
        if options.warm_up:
            await measure(bench, options, options.warm_up)
        figures = await measure(bench, options, options.seconds)
    document = figures.document()
    print(json.dumps(document, indent=2) if options.json else _table(document))
    return 0 if figures.complete else 1


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.decisions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rate", type=float, default=200, help="refunds and payments per second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--warm-up", type=float, default=5, help="seconds before the count")
    parser.add_argument("--connections", type=int, default=64, help="for each of the two")
    parser.add_argument("--patience", type=float, default=120, help="seconds until all must be in")
    parser.add_argument("--running", action="store_true", help="use the `headgate up` that runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    try:
        return uvloop.run(run(parser.parse_args()))
    except asyncio.CancelledError:
        return STOPPED


if __name__ == "__main__":
    raise SystemExit(main())
