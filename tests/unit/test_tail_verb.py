"""`headgate tail` when nobody reads on, as behind `| head -1`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import asyncio, sys
from contextlib import asynccontextmanager
from headgate.__main__ import parser
from headgate.cli import tail
from headgate.streams.log_reader import Extent
from tests.unit.recorded_setting import a_record

class Log:
    def __init__(self, *_): pass
    async def spans(self): return {("payments.facts", 0): Extent(0, 3)}
    async def records(self):
        async with connected():
            for offset in range(1000):
                await asyncio.sleep(0)
                yield a_record(offset)

@asynccontextmanager
async def connected():
    try:
        yield
    finally:
        await asyncio.sleep(0.05)

tail.LogSource = Log
sys.exit(tail.run(parser().parse_args(["tail", "payments.facts", "--since", "1h", "--no-follow"])))
"""


def test_a_closed_pipe_ends_it_without_a_word() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"payments.commands/0@0" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
