"""Replays: what hinders one, its pace, and that nothing is skipped or doubled whoever dies when."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.agents.replay import Replayer
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import decode
from headgate.streams.deliveries import DELIVERY_WANTED
from headgate.streams.errors import LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import replay_work
from headgate.tables.configuration import Configuration, ConfigurationCopy, Endpoint
from headgate.tables.postgres import Postgres
from headgate.tables.replay_work import Begun, Hindrance, Job, Page, PastEvent, ReplayWork

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ENDPOINT = Endpoint(
    id="whe_1",
    merchant_id="mer_1",
    mode="test",
    is_default=True,
    url="https://shop.example/",
    sealed_secret="sealed",
    event_types=("payment.*",),
    enabled=True,
)
JOB = Job(
    id="rpl_1",
    merchant_id="mer_1",
    mode="test",
    endpoint_id="whe_1",
    which="all",
    types=("payment.*",),
    from_at=NOW,
    to_at=NOW,
    rate_per_s=None,
    dry_run=False,
    status="counting",
    begins=None,
    reached=None,
    token=uuid.uuid4(),
    last_page_at=None,
    idle_s=0.0,
)
EVENTS = 83


@pytest.mark.parametrize(
    ("job", "endpoint", "found"),
    [
        ({}, {}, None),
        ({"dry_run": True}, {"enabled": False}, None),
        ({}, {"enabled": False}, Hindrance(status="paused", reason="endpoint_disabled")),
        ({}, {"deleted": True}, Hindrance(status="canceled", reason="endpoint_deleted")),
        ({"dry_run": True}, {"deleted": True}, Hindrance(0.0, "canceled", "endpoint_deleted")),
        ({}, None, Hindrance(put_off_s=replay_work.LONGEST_WAIT_S)),
    ],
)
def test_an_endpoint_may_stand_in_a_replays_way_08_r31(
    job: dict[str, Any], endpoint: dict[str, Any] | None, found: Hindrance | None
) -> None:
    """One that is unknown here holds the replay up; it never ends it."""
    given = None if endpoint is None else ENDPOINT.model_copy(update=endpoint)
    assert replay_work.hindrance(replace(JOB, **job), given) == found


def test_a_rate_makes_pages_of_a_second_and_the_time_between_them() -> None:
    assert replay_work.page_size(None, 500) == 500
    assert replay_work.page_size(40, 500) == 40
    assert replay_work.page_size(9000, 500) == 500
    assert replay_work.next_page_s(None, 500) == 0
    assert replay_work.next_page_s(40, 40) == 1
    assert replay_work.next_page_s(9000, 450) == 0.05
    assert replay_work.next_page_s(40, 0) == 0


def test_the_longer_a_replay_waits_the_less_often_it_is_looked_at() -> None:
    assert [replay_work.wait_s(idle_s) for idle_s in (0, 0.5, 20, 10_000)] == [0.1, 0.1, 2, 10]


def test_a_replays_delivery_is_another_one_with_the_original_id_and_bytes_08_r27() -> None:
    event = PastEvent("evt_1", "pay_1", "payment.success", '{"note":"ž"}'.encode())
    one = replay_work.wanted(JOB, event, 1_800_000_000_000)
    assert one.delivery_id == ids.replayed_delivery_id("evt_1", "whe_1", "rpl_1")
    other = replay_work.wanted(replace(JOB, id="rpl_2"), event, 1_800_000_000_000)
    assert len({one.delivery_id, other.delivery_id, ids.delivery_id("evt_1", "whe_1")}) == 3
    assert one.event_id == other.event_id == "evt_1"
    assert one.body.encode() == event.payload
    assert one.token == f"{one.delivery_id}.1"
    assert one == replay_work.wanted(replace(JOB, token=uuid.uuid4()), event, 1_800_000_000_000)


class Chance:
    """Turns of an event loop at which anything may happen."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  the same turns in every run

    async def turn(self) -> None:
        """Let others run, for a while."""
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)

    def happens(self, share: float) -> bool:
        """Whether something happens that does so in this share of all turns."""
        return self._random.random() < share


class Shared(ReplayWork):
    """One replay, kept as PostgreSQL keeps it: what was written stays, whoever dies."""

    def __init__(self, chance: Chance) -> None:
        super().__init__(Postgres(Settings()), 10.0)
        self.chance = chance
        self.job = replace(JOB)
        self.taken = False
        self.found = self.counted_pages = self.sent_count = self.pages = 0
        self.over = False
        self.page_at: datetime | None = None
        self.rows: dict[str, datetime] = {}

    async def _asked(self, job: Job) -> bool:
        await self.chance.turn()
        if self.chance.happens(0.05):
            raise StoreUnavailable("away")
        return not self.over and job.token == self.job.token

    async def take(self) -> Job | None:
        await self.chance.turn()
        if self.over or (self.taken and not self.chance.happens(0.1)):  # the lease may have ended
            return None
        self.taken = True
        self.job = replace(self.job, token=uuid.uuid4())
        return self.job

    async def begin(self, job: Job, begins: str) -> bool:
        if not await self._asked(job):
            return False
        self.job = replace(self.job, begins=begins, reached=begins)
        return True

    async def put_off(self, job: Job, wait_s: float) -> None:
        del wait_s
        if await self._asked(job):
            self.taken = False

    async def counted(self, job: Job, page: Page) -> None:
        if await self._asked(job):
            self.found += len(page.events)
            reached = self.job.begins if page.whole else page.reached
            status = "sending" if page.whole else "counting"
            self.job = replace(self.job, reached=reached, status=cast("Any", status))
            self.taken = False
        await self.chance.turn()

    async def untried(self, job: Job) -> int:
        await self._asked(job)
        return 1000 if self.chance.happens(0.2) else 0

    async def want(self, job: Job, page: Page) -> Begun | None:
        if not await self._asked(job):
            return None
        self.pages += self.page_at is None
        self.page_at = self.page_at or datetime.fromtimestamp(self.pages, UTC)
        wanted = [replay_work.delivery_id(job, event) for event in page.events]
        fresh = [one for one in wanted if one not in self.rows]
        self.rows.update(dict.fromkeys(fresh, self.page_at))
        await self.chance.turn()
        return Begun(self.page_at, frozenset(fresh))

    async def sent(self, job: Job, page: Page) -> None:
        if await self._asked(job):
            self.sent_count += len(page.events)
            self.job = replace(self.job, reached=page.reached, last_page_at=self.page_at)
            self.page_at, self.taken, self.over = None, False, page.whole
        await self.chance.turn()


class Numbers:
    """Events 0 to `EVENTS` in their order."""

    async def begins(self, job: Job) -> str:
        del job
        return "0"

    async def page(self, job: Job, place: str, limit: int) -> Page:
        del job
        end = min(EVENTS, int(place) + limit)
        events = [
            PastEvent(f"evt_{n}", None, "payment.success", b"{}") for n in range(int(place), end)
        ]
        return Page(events, str(end), whole=end == EVENTS)


class Log:
    """Takes records, at last."""

    available = True

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.records: list[Record] = []

    async def publish_until_acked(self, records: Sequence[Record]) -> None:
        await self.chance.turn()
        if self.chance.happens(0.05):
            raise LogUnavailable("cut off")
        self.records += records
        await self.chance.turn()


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_skipped_or_doubled_whoever_dies_when_08_r27(
    seed: int, tmp_path: Path
) -> None:
    """Three workers, each killed now and then, frozen and overtaken, with the database and the log
    away in between."""
    chance = Chance(seed)
    shared, log = Shared(chance), Log(chance)
    settings = Settings(replay_page_max=7, replay_poll_ms=1, state_dir=tmp_path)
    configuration = ConfigurationCopy(settings, Postgres(settings))
    configuration.now = Configuration(endpoints={"whe_1": ENDPOINT})

    def start() -> asyncio.Task[None]:
        replayer = Replayer(
            settings,
            shared,
            {"all": Numbers(), "failed": Numbers()},
            cast("Bus", log),
            configuration,
        )
        return asyncio.create_task(replayer.run())

    workers = [start() for _ in range(3)]
    while not shared.over:
        await asyncio.sleep(0)
        if chance.happens(0.02):
            victim = workers.pop(0)
            victim.cancel()  # between any two of its steps
            workers.append(start())
            if chance.happens(0.5):
                shared.taken = False
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    wanted = [decode(DELIVERY_WANTED, record.value) for record in log.records]
    assert {one.event_id for one in wanted} == {f"evt_{n}" for n in range(EVENTS)}
    assert shared.found == shared.sent_count == EVENTS
    assert len(shared.rows) == len({one.delivery_id for one in wanted}) == EVENTS
    same = Counter(one.model_dump_json() for one in wanted)
    assert len(same) == EVENTS, "a repeat that is not the same record"
    firsts = list(dict.fromkeys(one.event_id for one in wanted))
    assert firsts == [f"evt_{n}" for n in range(EVENTS)], "out of order"
