"""What people who look at live pages cost, and how far behind they are.

How far behind they are is counted twice: from the moment of the request, with the decision in it,
and from the moment at which the payment is in PostgreSQL, which is what the screens read.

python -m bench.viewers                     200 payments/s, ten viewers, 20 s with and without them
python -m bench.viewers --rate 100 --viewers 50 --seconds 30

The dashboard runs in a process of its own, so that its CPU is told apart from that of
the REST surface."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import httpx
import uvicorn
from starlette.requests import Request
from starlette.routing import Route

from bench.load import Load, Target, percentile
from bench.merchant import new_merchant, receiving
from bench.processes import cpu_s
from bench.system import System, started
from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import place_of
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.embedded import ports
from headgate.streams.settings import settings
from headgate.tables.postgres import Postgres

STREAMS = ("/payments/live", "/now/live")
"""What viewers look at, in turn."""
ROW = re.compile(r'data-k="(\d{4}-[^"]*?)(pay_\w+)"')
NEWEST = "select id from headgate.payments where mode = 'test' order by created_at desc limit $1"
NEWEST_MAX = 400
"""Two seconds of them: what comes later than that is not counted from PostgreSQL."""
LOOK_S = 0.05
WARM_UP_S = 5
STARTS_WITHIN_S = 20


class Everybody:
    """A doorman for a bench: whoever comes is an operator."""

    async def viewer_of(self, request: Request) -> Viewer | None:
        """The operator, another one on each connection: one person has only so many live pages."""
        port = request.client.port if request.client else 0
        return Viewer(f"opr_{port}", "Bench", None, "test", "bench")

    def routes(self, place: Place) -> Sequence[Route]:
        """None."""
        del place
        return ()


def serve(port: int) -> None:
    """The dashboard alone, until it is killed."""
    current = settings()
    nobody = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    place = place_of(current, Postgres(current), nobody)
    uvicorn.run(
        create_dashboard(place, Everybody()), port=port, loop="uvloop", http="httptools",
        ws="none", lifespan="off", access_log=False, log_level="warning",
    )  # fmt: skip


@dataclass
class Looker:
    """One viewer: when each payment that it had not seen before appeared."""

    url: str
    since_s: float = 0.0
    appeared: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When each payment was asked for, and when it appeared here."""
    updates: int = 0
    _seen: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Follow until cancelled."""
        async with httpx.AsyncClient(timeout=None) as client:  # noqa: S113  it stays open
            while True:
                async with client.stream("GET", self.url) as answer:
                    async for line in answer.aiter_lines():
                        self._take(line)

    def _take(self, line: str) -> None:
        now_s = time.time()
        self.updates += line.startswith("id:")
        for at, payment in ROW.findall(line):
            made_s = datetime.fromisoformat(at).timestamp()
            if payment not in self._seen and made_s > self.since_s:
                self.appeared[payment] = (made_s, now_s)
            self._seen.add(payment)


@dataclass
class Store:
    """When each payment came to be in PostgreSQL: the last look at which it was not there, so that
    nothing is made too good."""

    address: str
    there_s: dict[str, float] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look until cancelled."""
        store = await asyncpg.connect(self.address)
        absent_s = time.time()
        try:
            while True:
                now_s = time.time()
                for row in await store.fetch(NEWEST, NEWEST_MAX):
                    self.there_s.setdefault(row["id"], absent_s)
                absent_s = now_s
                await asyncio.sleep(LOOK_S)
        finally:
            await store.close()


@asynccontextmanager
async def dashboard(system: System) -> AsyncIterator[tuple[int, int]]:
    """A dashboard over this system: its port and its pid."""
    port = next(ports.free())
    names = {"HEADGATE_KAFKA": "kafka", "HEADGATE_REDIS": "redis", "HEADGATE_POSTGRES": "postgres"}
    where = {name: system.addresses[role] for name, role in names.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.viewers", "--serve", str(port), env={**os.environ, **where}
    )
    try:
        await _answers(port)
        yield port, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(STARTS_WITHIN_S):
        while True:
            try:
                await client.get(f"http://127.0.0.1:{port}/dashboard/payments")
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return


async def measured(options: argparse.Namespace) -> None:
    """One run: the same load without anybody who looks, then with them."""
    async with started() as system, receiving() as sink:
        merchant = await new_merchant(system)
        await merchant.subscribe(f"http://127.0.0.1:{sink.port}/hook")
        async with dashboard(system) as (port, pid):
            total_s = 2 * (WARM_UP_S + options.seconds) + WARM_UP_S
            target, prefix = Target(*system.edge, 16), f"look-{secrets.token_hex(4)}"
            load = Load(target, lambda n: merchant.payment(prefix, n), rate=options.rate)
            paying = asyncio.create_task(load.run(range(int(total_s * options.rate))))
            store = Store(system.addresses["postgres"])
            watching = asyncio.create_task(store.watch())
            await _compare(options, port, pid, store)
            watching.cancel()
            paying.cancel()
            await asyncio.gather(paying, watching, return_exceptions=True)


async def _compare(options: argparse.Namespace, port: int, pid: int, store: Store) -> None:
    await asyncio.sleep(WARM_UP_S)
    idle = await _share(pid, options.seconds)
    lookers = [
        Looker(f"http://127.0.0.1:{port}/dashboard{STREAMS[number % len(STREAMS)]}")
        for number in range(options.viewers)
    ]
    tasks = [asyncio.create_task(one.look()) for one in lookers]
    await asyncio.sleep(WARM_UP_S)
    for one in lookers:
        one.since_s, one.updates, one.appeared = time.time(), 0, {}
    busy = await _share(pid, options.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(f"{options.viewers} viewers, {options.rate:g} payments/s, {options.seconds:g} s each")
    print(f"  CPU without viewers  {idle:5.1f} % of a core")
    print(f"  CPU with viewers     {busy:5.1f} % of a core: they cost {busy - idle:.1f} %")
    updates = sum(one.updates for one in lookers) / options.seconds / len(lookers)
    print(f"  updates per viewer   {updates:5.1f} /s")
    _report(lookers, store)


async def _share(pid: int, seconds: float) -> float:
    """The part of a core that a process uses, in percent."""
    before, began = cpu_s([pid]), time.monotonic()
    await asyncio.sleep(seconds)
    return 100 * (cpu_s([pid]) - before) / (time.monotonic() - began)


def _report(lookers: Sequence[Looker], store: Store) -> None:
    """How far behind the viewers are: from the request, and from PostgreSQL."""
    seen = [each for one in lookers for each in one.appeared.items()]
    requested = [at_s - made_s for _, (made_s, at_s) in seen]
    stored = [at_s - store.there_s[id_] for id_, (_, at_s) in seen if id_ in store.there_s]
    for since, lags in (("it is asked for", requested), ("it is in PostgreSQL", stored)):
        if lags:
            middle, slow, most = (1000 * percentile(lags, share) for share in (0.5, 0.99, 1.0))
            print(f"  a payment appears, counted from when {since}, after")
            print(
                f"    {middle:.0f} ms (median), {slow:.0f} ms (slowest 1 %), {most:.0f} ms at most"
            )


def main() -> None:
    """Read the command line and run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=float, default=200.0, help="payments a second")
    options.add_argument("--viewers", type=int, default=10)
    options.add_argument("--seconds", type=float, default=20.0, help="with, and without viewers")
    options.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        serve(given.serve)
    else:
        asyncio.run(measured(given))


if __name__ == "__main__":
    main()
