"""`headgate capture` and `headgate tail` as people type them, beside a system that is paid at."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from headgate.replay.capture_file import header_of, records_of
from headgate.streams.topics import PAYMENT_COMMANDS, PAYMENT_FACTS
from tests.system.harness_log import LogReader, reading
from tests.system.harness_paying import Payer
from tests.system.harness_place import Place
from tests.system.harness_running import Running, running_system

pytestmark = [pytest.mark.system, pytest.mark.timeout(170)]


AS_TYPED = """import signal, sys
from headgate.__main__ import main
# Whoever runs the tests in the background has Ctrl-C ignored; nobody who types a command has.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())"""


@asynccontextmanager
async def typed(place: Place, words: str, cwd: Path, out: int = PIPE) -> AsyncIterator[Process]:
    """The command, running."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AS_TYPED, *words.split(),
        stdout=out, stderr=PIPE, env=place.environment, cwd=cwd, limit=1 << 20,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(place: Place, folder: Path, words: str, code: int = 0) -> str:
    """What the command says until its end."""
    async with typed(place, words, cwd=folder) as process, asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return out.decode() if code == 0 else err.decode()


async def test_what_was_paid_is_captured_shown_and_followed(stack: Stack, tmp_path: Path) -> None:
    async with running_system(stack, tmp_path) as running:
        payer = Payer(running.edge)
        paid = [await payer.paid() for _ in range(4)]
        await payer.refund(paid[0], 100, Prefer="wait=20")
        await payer.create(wait_s=20, vpa="failure@upi")
        async with reading(running.place.settings, PAYMENT_COMMANDS, PAYMENT_FACTS) as log:
            await log.until_end()
            await captured_is_what_the_log_holds(running.place, log, tmp_path)
            await captured_by_key_and_number(running.place, log, paid, tmp_path)
        await shown(running.place, paid, tmp_path)
        await followed(running, payer, tmp_path)
        await cut_short_by_a_pipe(running.place, payer, tmp_path)


async def captured_is_what_the_log_holds(place: Place, log: LogReader, folder: Path) -> None:
    told = await said(place, folder, "capture --since 1h traffic.ndjson.zst")
    found = list(records_of(folder / "traffic.ndjson.zst"))
    for topic in (PAYMENT_COMMANDS, PAYMENT_FACTS):
        ours = sorted(
            (r.partition, r.offset, r.key, r.value, r.at_ms) for r in found if r.topic == topic.name
        )
        theirs = [(s.partition, s.offset, s.key, s.value, s.timestamp_ms) for s in log.of(topic)]
        assert ours == sorted(theirs)
    assert [record.at_ms for record in found] == sorted(record.at_ms for record in found)
    types = Counter(json.loads(record.value or b"")["type"] for record in found)
    assert (types["payment.create"], types["payment.refund"], types["payment.failed"]) == (5, 1, 1)
    assert f"traffic.ndjson.zst: {len(found):,} records" in told
    assert header_of(folder / "traffic.ndjson.zst").partitions == place.settings.partitions
    again = await said(place, folder, "capture traffic.ndjson.zst", code=1)
    assert "traffic.ndjson.zst exists" in again


async def captured_by_key_and_number(
    place: Place, log: LogReader, paid: list[str], folder: Path
) -> None:
    await said(
        place,
        folder,
        f"capture --topic payments.commands --key {paid[0]} --key {paid[1]} by-key.parquet",
    )
    of_two = list(records_of(folder / "by-key.parquet"))
    assert {record.key for record in of_two} == {paid[0].encode(), paid[1].encode()}
    wanted = [s for s in log.of(PAYMENT_COMMANDS) if s.key.decode() in paid[:2]]
    assert len(of_two) == len(wanted)
    await said(place, folder, "capture --topic payments.facts --last 3 last.ndjson")
    newest = sorted(log.of(PAYMENT_FACTS), key=lambda s: s.timestamp_ms)[-3:]
    assert [r.at_ms for r in records_of(folder / "last.ndjson")] == [s.timestamp_ms for s in newest]
    nothing = await said(place, folder, "capture --topic payments.fact x.ndjson", code=1)
    assert "has no topic payments.fact; there are: " in nothing
    assert not (folder / "x.ndjson").exists()


async def shown(place: Place, paid: list[str], folder: Path) -> None:
    told = await said(place, folder, "tail payments.facts --type payment.* --since 1h --no-follow")
    for payment in paid:
        assert any(f"payment.success             {payment}" in line for line in told.splitlines())
    assert "refund." not in told
    assert "\x1b" not in told
    words = f"tail payments.facts --type refund.* --key {paid[0]} --json --no-follow"
    refunds = await said(place, folder, words)
    documents = [json.loads(line) for line in refunds.splitlines()]
    assert [each["type"] for each in documents][-1] == "refund.processed"
    assert {each["key"] for each in documents} == {paid[0]}
    nobody = await said(place, folder, "tail payments.facts --merchant m --no-follow")
    assert nobody == ""
    misspelt = await said(place, folder, "tail payments.facts --type paymet.*", code=2)
    assert "no record of payments.facts has the type paymet.*" in misspelt


async def followed(running: Running, payer: Payer, folder: Path) -> None:
    words = "tail payments.facts --type payment.success --json --last 1"
    async with typed(running.place, words, cwd=folder) as tail, asyncio.timeout(60):
        assert (await line_of(tail))["type"] == "payment.success"  # it stands at the end now
        fresh = await payer.paid()
        assert (await line_of(tail))["key"] == fresh
        tail.send_signal(signal.SIGINT)
        assert await tail.wait() == 0
        assert tail.stderr is not None
        assert await tail.stderr.read() == b""


async def line_of(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    document: dict[str, Any] = json.loads(await process.stdout.readline())
    return document


async def cut_short_by_a_pipe(place: Place, payer: Payer, folder: Path) -> None:
    """As `| head -1` does: whoever reads has gone when the next fact is written."""
    reads, writes = os.pipe()
    words = "tail payments.facts --since 1h"
    async with typed(place, words, cwd=folder, out=writes) as tail, asyncio.timeout(60):
        os.close(writes)
        assert b"payment.created" in await asyncio.to_thread(os.read, reads, 1000)
        os.close(reads)
        await payer.paid()
        assert await tail.wait() == 0
        assert tail.stderr is not None
        assert await tail.stderr.read() == b""
