"""Makes `tests/corpus/shop.ndjson.zst` anew, from a real run on the embedded stack.

Run `make corpus`. It takes about a minute.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Generator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import httpx

from headgate.embedded.stack import Stack
from headgate.replay.capture_file import CaptureFile
from headgate.replay.capture_format import Header
from headgate.replay.decisions import OPERATIONS
from headgate.replay.log_source import LogSource
from headgate.replay.operations import WithOperations
from headgate.replay.recorded import Recorded
from headgate.replay.selection import DEFAULT_TOPICS, Selection
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import iso, now_ms
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables import acting
from headgate.tables.postgres import Postgres
from tests.corpus.shopping import SCENES, Scene, Shop, whims
from tests.system.harness_place import until
from tests.system.harness_running import Running, running_system

FILE = Path(__file__).with_name("shop.ndjson.zst")
REPEATED = 12
"""Commands that stand on the log a second time, as after a failed publish."""
ENDS_WITHIN_S = 60.0
FAILED: list[str] = []
"""Scenes that did not come to their end: the recording lacks them."""
OPEN = """
select count(*) from payments
where state in ('created', 'requires_action', 'processing', 'in_doubt') or id in (
    select payment_id from payment_children where state in ('requested', 'submitted', 'in_doubt')
)
"""
SETTLED = "select coalesce(sum(published_offset), 0) from claims where topic = 'payments.commands'"


class Operator(httpx.Auth):
    """Signs requests as those of an operator."""

    def __init__(self, settings: Settings, merchant_id: str) -> None:
        self._key, self._merchant_id = settings.secret_key, merchant_id

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """With a token that acts for the merchant."""
        token = acting.mint(
            self._key, "operator:opr_olga", self._merchant_id, "test", ["operator"], now_ms()
        )
        request.headers["Authorization"] = f"Bearer {token}"
        yield request


async def record(stack: Stack, folder: Path) -> int:
    """Shop, wait until everything is decided, and write the capture. How many records it has."""
    async with running_system(stack, folder) as running:
        (merchant,) = await running.place.rows("select id from merchants")
        shop = Shop(running.edge.client, Operator(running.place.settings, merchant["id"]))
        await asyncio.gather(*(_played(scene, shop) for scene in SCENES))
        await _played(whims, shop)
        await _played(lambda _: _until_ended(running), shop)
        await _trouble(running)
        return await _write(running.place.settings)


async def _played(scene: Scene, shop: Shop) -> None:
    """One scene; one that fails takes no other with it, and is told."""
    try:
        await scene(shop)
    except (AssertionError, KeyError, httpx.HTTPError) as error:
        sys.stderr.write(f"{scene.__name__} failed: {error!r}\n")
        FAILED.append(scene.__name__)


async def _until_ended(running: Running) -> None:
    async def ended() -> bool:
        return await running.place.number(OPEN) == 0

    await until(ended, ENDS_WITHIN_S, "all payments ended")


async def _trouble(running: Running) -> None:
    """Commands that come twice, that nobody can read, and that no payment is known for."""
    here = running.place.settings
    source = LogSource(here, Selection(topics=(PAYMENT_COMMANDS.name,)))
    known = [one async for one in source.records()]
    more = [*known[:: len(known) // REPEATED], replace(known[0], value=b"{"), *_strange(known)]
    bus = Bus.of(here, "corpus")
    await bus.start()
    try:
        await bus.publish([_appended(one, here) for one in more])
        ends = await bus.end_offsets(PAYMENT_COMMANDS.full_name(here), range(here.partitions))
    finally:
        await bus.stop()

    async def settled() -> bool:
        return await running.place.number(SETTLED) >= sum(ends.values())

    await until(settled, ENDS_WITHIN_S, "every command settled")


def _strange(known: list[Recorded]) -> list[Recorded]:
    """A create that no model accepts, and a capture of a payment that there is not."""
    create = next(one for one in known if b'"type":"payment.create"' in (one.value or b""))
    capture = next(one for one in known if b'"type":"payment.capture"' in (one.value or b""))
    name = capture.key or b""
    nobody = name[:-1] + (b"a" if not name.endswith(b"a") else b"b")
    return [
        _changed(create, (b'"currency":"', b'"currency":7,"x":"')),
        replace(_changed(capture, (name, nobody)), key=nobody),
    ]


def _changed(one: Recorded, *pairs: tuple[bytes, bytes]) -> Recorded:
    """A command with another id, and with these words in place of those."""
    value = one.value or b""
    for old, new in ((b'"command_id":"', b'"command_id":"strange_'), *pairs):
        value = value.replace(old, new)
    return replace(one, value=value)


def _appended(one: Recorded, here: Settings) -> Record:
    topic = PAYMENT_COMMANDS.full_name(here)
    return Record(topic, one.partition, one.key or b"", one.value, one.headers)


async def _write(here: Settings) -> int:
    postgres = Postgres(here)
    source = WithOperations(LogSource(here, Selection()), postgres)
    header = Header(
        headgate=version("headgate"),
        namespace="",
        partitions=here.partitions,
        topics=(OPERATIONS, *DEFAULT_TOPICS),
        began_at=iso(now_ms()),
    )
    file = CaptureFile(FILE, header, overwrite=True)
    try:
        async for one in source.records():
            file.write(one)
    finally:
        await postgres.close()
    file.finish()
    FILE.chmod(0o644)
    return file.records


def main() -> int:
    """Start the servers, record, and stop them."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-corpus-"))
    folder.chmod(0o711)
    stack = Stack(folder)
    stack.up(os.getpid())
    try:
        records = asyncio.run(record(stack, folder))
    finally:
        stack.stop()
    sys.stdout.write(f"{FILE}: {records} records, {FILE.stat().st_size} bytes\n")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
