"""Webhooks per second of one notify worker, what each costs, and what bad endpoints cost the good.

python -m bench.webhooks                          5,000 at once, then the isolation run
python -m bench.webhooks --deliveries 20000 --rounds 0
python -m bench.webhooks --rate 100 --seconds 20 --json

Isolation: facts at a steady pace, 30 % of them for other shops than the measured ones. Calm phases
in which those are like the rest alternate with phases in which they hang, drip, reset, or send a
gigabyte; the latency is that of the measured shops, from when a fact was due on the log until its
webhook was received.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import Sequence

import uvloop

from bench.client import request_bytes
from bench.facts import Facts
from bench.isolation import Isolation
from bench.load import Load, Target
from bench.shops import Notifying, notifying, until
from bench.trouble import KINDS

STOPPED = 128 + signal.SIGTERM
SHOPS = 32
"""Well-behaved shops, one endpoint each."""
P99_GROWTH_MAX = 1.10
PUBLISHED_AT_ONCE = 500
FLOOR_CONNECTIONS = 64


async def _throughput(place: Notifying, shops: Sequence[Facts], count: int) -> dict[str, object]:
    """All facts at once; the time is that until the last webhook was received."""
    mark, shown = secrets.token_hex(4), await place.shown()
    wanted = [(shops[number % len(shops)], f"{mark}-{number}") for number in range(count)]
    records = [shop.record(key) for shop, key in wanted]
    before, began_ms = place.cpu(), time.time() * 1000
    for first in range(0, count, PUBLISHED_AT_ONCE):
        await place.bus.publish(records[first : first + PUBLISHED_AT_ONCE])

    async def all_shown() -> bool:
        return await place.shown() >= shown + count

    await until(all_shown)
    after = place.cpu()
    arrivals = await place.sink.ask("arrivals")
    seconds = (max(arrivals[shop.event_id(key)] for shop, key in wanted) - began_ms) / 1000
    used = {name: round(1000 * (after[name] - before[name]) / count, 3) for name in after}
    used["others"] = round(max(0.0, used.pop("machine") - sum(used.values())), 3)
    return {
        "deliveries": count,
        "deliveries_per_s": round(count / seconds, 1),
        "cpu_ms_per_delivery": used,
        "repeats": (await place.sink.ask("stats"))["repeats"],
    }


async def _floor(place: Notifying, body: bytes, count: int) -> dict[str, object]:
    """The same bodies posted by a bare client: what this machine does without Headgate."""

    def request(number: int) -> bytes:
        return request_bytes("POST", "/floor", "sink", {"webhook-id": f"floor-{number}"}, body)

    before, began = place.cpu(), time.perf_counter()
    target = Target("127.0.0.1", place.sink.port, FLOOR_CONNECTIONS)
    await Load(target, request).run(range(count))
    seconds, after = time.perf_counter() - began, place.cpu()
    cpu = {name: 1000 * (after[name] - before[name]) / count for name in ("bench", "receivers")}
    return {
        "posts_per_s": round(count / seconds, 1),
        "cpu_ms_per_post": {name: round(used, 3) for name, used in cpu.items()},
    }


async def _isolation(
    place: Notifying, shops: Sequence[Facts], options: argparse.Namespace
) -> dict[str, object]:
    calm = [await place.shop(f"http://127.0.0.1:{place.trouble.port}/ok") for _ in KINDS]
    bad = [await place.shop(f"http://127.0.0.1:{place.trouble.port}/{kind}") for kind in KINDS]
    isolation = Isolation(place, shops, calm, bad)
    for _ in range(options.rounds):
        for troubled in (False, True):
            await isolation.run(options.rate, round(options.rate * options.seconds), troubled)
    return await isolation.document()


async def measure(place: Notifying, options: argparse.Namespace) -> dict[str, object]:
    """Everything that was asked for."""
    shops = [await place.shop(f"http://127.0.0.1:{place.sink.port}/ok") for _ in range(SHOPS)]
    _say("warm-up")
    await _throughput(place, shops, options.warm_up)
    found: dict[str, object] = {}
    if options.deliveries:
        body = shops[0].record("floor").value or b""
        _say("floor")
        found["floor"] = await _floor(place, body, options.deliveries)
        _say("throughput")
        found["throughput"] = await _throughput(place, shops, options.deliveries)
    if options.rounds:
        _say("isolation")
        found["isolation"] = await _isolation(place, shops, options)
    return found


def _say(what: str) -> None:
    """Show progress where it is in nobody's way."""
    print(f"{what} ...", file=sys.stderr, flush=True)


async def run(options: argparse.Namespace) -> int:
    """Measure and print. Exit code 1 when bad endpoints slowed down the good ones."""
    if task := asyncio.current_task():  # What was started is stopped, also after `kill`.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with notifying() as place, asyncio.timeout(options.patience):
        found = await measure(place, options)
    print(json.dumps(found, indent=2) if options.json else _table(found))
    isolation = found.get("isolation")
    grown = isolation["p99_growth"] if isinstance(isolation, dict) else 0
    return 1 if grown > P99_GROWTH_MAX else 0


def _table(found: dict[str, object]) -> str:
    lines = []
    for part, document in found.items():
        lines.append(part)
        for name, value in document.items() if isinstance(document, dict) else ():
            shown = value
            if isinstance(value, dict):
                shown = "   ".join(f"{each} {number}" for each, number in value.items())
            lines.append(f"  {name:26} {shown}")
    return "\n".join(lines)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--deliveries", type=int, default=5000, help="at once; 0 for none")
    parser.add_argument("--warm-up", type=int, default=1000, help="deliveries before the count")
    parser.add_argument("--rounds", type=int, default=3, help="of a calm and a troubled phase")
    parser.add_argument("--rate", type=float, default=100, help="facts per second in a phase")
    parser.add_argument("--seconds", type=float, default=10, help="length of a phase")
    parser.add_argument("--patience", type=float, default=600, help="seconds for all of it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    try:
        return uvloop.run(run(parser.parse_args()))
    except asyncio.CancelledError:
        return STOPPED


if __name__ == "__main__":
    raise SystemExit(main())
