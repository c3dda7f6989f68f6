"""Replays on a real PostgreSQL: which events they find, in which order, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import cast

import pytest

from headgate.agents.replay import Replayer
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import decode, header
from headgate.streams.deliveries import DELIVERY_WANTED, DeliveryWanted
from headgate.streams.settings import Settings
from headgate.tables import replays
from headgate.tables.configuration import ConfigurationCopy
from headgate.tables.deliveries import REPEATED
from headgate.tables.migrate import migrate
from headgate.tables.replay_sources import sources_of
from headgate.tables.replay_work import Job, ReplayWork, hindrance
from headgate.tables.replays import StoredReplay
from tests.system.harness_replays import BEGINNING, TYPES, Past, event_id

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


class Log:
    """What was published, and a log that begins with the first command."""

    available = True

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def publish_until_acked(self, records: Sequence[Record]) -> None:
        self.records += records

    async def since(self, topic: str, partitions: Iterable[int], at_ms: int) -> dict[int, int]:
        del topic, at_ms
        return dict.fromkeys(partitions, 0)


class Stand(Past):
    """A past, and a worker that takes one step at a time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.log = Log()
        self.work = ReplayWork(self.postgres, settings.replay_lease_ms / 1000)
        self.configuration = ConfigurationCopy(settings, self.postgres)
        bus = cast("Bus", self.log)
        sources = sources_of(settings, self.postgres, bus)
        self.replayer = Replayer(settings, self.work, sources, bus, self.configuration)

    async def take(self) -> Job:
        """The replay whose turn it is."""
        job = await self.work.take()
        assert job is not None
        return job

    async def run(self, steps_max: int = 100) -> None:
        """Take steps until none is due; every delivery has its first attempt at once."""
        await self.configuration.refresh()
        for _ in range(steps_max):
            job = await self.work.take()
            if job is None:
                return
            await self.replayer._work_on(job)
            await self.execute("update webhook_deliveries set attempts = 1 where attempts = 0")
        raise AssertionError("it does not come to an end")

    @property
    def wanted(self) -> list[DeliveryWanted]:
        """What was published."""
        return [decode(DELIVERY_WANTED, record.value) for record in self.log.records]

    @property
    def events(self) -> list[str]:
        """The events of it."""
        return [one.event_id for one in self.wanted]

    def of(self, *numbers: int) -> list[str]:
        """The successes of these payments."""
        return [event_id(self.merchant_id, number) for number in numbers]


@pytest.fixture
async def stand(live_settings: Settings) -> AsyncIterator[Stand]:
    """A merchant with 25 payments; pages of 4 events."""
    settings = live_settings.model_copy(update={"replay_page_max": 4})
    await migrate(settings)
    stand = Stand(settings)
    await stand.open()
    await stand.add_payments(25)
    yield stand
    await stand.postgres.close()


async def test_all_is_what_fits_in_the_order_of_the_log_also_for_a_younger_endpoint_08_r31(
    stand: Stand,
) -> None:
    endpoint = await stand.add_endpoint()
    replay = await stand.replay(endpoint)
    await stand.run()
    assert stand.events == stand.of(*range(25))
    done = await stand.now(replay)
    assert (done.status, done.found, done.sent, done.reason) == ("completed", 25, 25, None)
    assert done.counted_at is not None
    assert done.ended_at is not None
    first = stand.wanted[0]
    assert first.body == f'{{"id":"{first.event_id}"}}'
    assert (first.replay_id, first.endpoint_id) == (replay.id, endpoint)
    rows = await stand.rows(
        "select id, replay_id, status, created_at from webhook_deliveries order by created_at, id"
    )
    assert {row["id"] for row in rows} == {one.delivery_id for one in stand.wanted}
    assert {(row["replay_id"], row["status"]) for row in rows} == {(replay.id, "pending")}
    told = {round(row["created_at"].timestamp() * 1000) for row in rows}
    assert told == {one.created_at_ms for one in stand.wanted}


async def test_a_range_and_types_are_kept_to(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    span = {"from_at": BEGINNING + timedelta(minutes=5), "to_at": BEGINNING + timedelta(minutes=8)}
    await stand.replay(endpoint, types=("payment.*",), **span)
    await stand.run()
    assert sorted(stand.events) == sorted(
        event_id(stand.merchant_id, number, kind) for number in (5, 6, 7) for kind in TYPES
    )


async def test_a_dry_run_counts_and_sends_nothing(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    await stand.disable(endpoint)
    replay = await stand.replay(endpoint, dry_run=True)
    await stand.run()
    done = await stand.now(replay)
    assert (done.status, done.found, done.sent) == ("completed", 25, 0)
    assert stand.log.records == []
    assert await stand.rows("select from webhook_deliveries") == []


async def test_failed_is_what_no_delivery_has_brought_or_still_may_08_r27(stand: Stand) -> None:
    endpoint, other = await stand.add_endpoint(), await stand.add_endpoint()
    for numbers, status in (
        ((0, 1, 2, 3, 4, 5, 6, 7), "failed"),
        ((8, 9), "success"),
        ((10,), "pending"),
        ((11,), "canceled"),
    ):
        await stand.add_deliveries(endpoint, numbers, status)
    await stand.add_deliveries(other, (12, 13), "failed")
    await stand.add_deliveries(endpoint, (0,), "success")  # by an earlier replay
    await stand.add_deliveries(endpoint, (1,), "failed")  # twice failed
    await stand.add_deliveries(endpoint, (2,), "held")  # still on its way
    await stand.add_deliveries(endpoint, (3,), "canceled")
    replay = await stand.replay(endpoint, which="failed", types=())
    await stand.run()
    assert stand.events == stand.of(1, 3, 4, 5, 6, 7)
    done = await stand.now(replay)
    assert (done.found, done.sent) == (6, 6)
    await stand.execute(
        "update webhook_deliveries set status = 'success' where replay_id is not null"
    )
    again = await stand.replay(endpoint, which="failed", types=())
    await stand.run()
    assert (await stand.now(again)).found == 0
    assert (await stand.now(replay)).delivered == 6


async def test_missing_is_what_was_never_sent_there_08_r31(stand: Stand) -> None:
    """What matched while the endpoint was disabled is recomputed from facts."""
    endpoint, other = await stand.add_endpoint(), await stand.add_endpoint()
    await stand.add_deliveries(endpoint, range(10), "success")
    await stand.add_deliveries(endpoint, range(18, 25), "failed")
    await stand.add_deliveries(other, range(25), "success")
    replay = await stand.replay(endpoint, which="missing")
    await stand.run()
    assert stand.events == stand.of(*range(10, 18))
    done = await stand.now(replay)
    assert (done.found, done.sent) == (8, 8)
    again = await stand.replay(endpoint, which="missing")
    await stand.run()
    assert (await stand.now(again)).found == 0


async def test_two_replays_make_two_deliveries_and_each_one_only_one_08_r27(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    await stand.replay(endpoint)
    await stand.replay(endpoint)
    await stand.run()
    assert len({one.delivery_id for one in stand.wanted}) == 50
    assert set(stand.events) == set(stand.of(*range(25)))


async def test_a_page_done_again_makes_nothing_new_and_counts_once(stand: Stand) -> None:
    """The worker died after it had published: another one takes the same page."""
    endpoint = await stand.add_endpoint()
    replay = await stand.replay(endpoint)
    await stand.configuration.refresh()
    while (await stand.now(replay)).status == "counting":
        await stand.replayer._work_on(await stand.take())
    job = await stand.take()
    source = stand.replayer._sources["all"]
    page = await source.page(job, job.reached or "", 4)
    assert await stand.replayer._publish(job, page)
    assert await stand.work.take() is None, "it is taken"
    await stand.execute("update webhook_replays set due_at = now()")
    await stand.run()
    await stand.work.sent(job, page)  # it was not dead after all
    done = await stand.now(replay)
    assert (done.status, done.sent) == ("completed", 25)
    assert len({one.delivery_id for one in stand.wanted}) == 25
    twice = stand.log.records[4:8]
    assert [record.value for record in twice] == [record.value for record in stand.log.records[:4]]
    told = [dict(record.headers).get(REPEATED) for record in stand.log.records]
    assert told == [None] * 4 + [b"1"] * 4 + [None] * 21
    assert header(dict(twice[0].headers), REPEATED) == "1"


async def test_a_replay_that_was_taken_over_writes_nothing_more(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    replay = await stand.replay(endpoint)
    frozen = await stand.take()
    await stand.execute("update webhook_replays set due_at = now()")
    taken = await stand.take()
    assert (frozen.id, frozen.token) != (taken.id, taken.token)
    assert not await stand.work.begin(frozen, "somewhere")
    await stand.work.stop(frozen, "canceled", "endpoint_deleted")
    await stand.work.put_off(frozen, 3600)
    now = await stand.now(replay)
    assert (now.status, now.found) == ("counting", 0)


async def test_a_replay_waits_while_its_page_has_no_attempts(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    replay = await stand.replay(endpoint)
    await stand.configuration.refresh()
    while (await stand.now(replay)).sent == 0:
        await stand.replayer._work_on(await stand.take())
    await stand.replayer._work_on(await stand.take())
    assert (await stand.now(replay)).sent == 4
    assert await stand.work.take() is None, "it is looked at again in a while"
    await stand.execute("update webhook_deliveries set attempts = 1")
    await stand.execute("update webhook_replays set due_at = now()")
    await stand.run()
    assert (await stand.now(replay)).sent == 25


async def test_a_pause_stands_and_a_replay_goes_on_where_it_was(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    replay, whose = await stand.replay(endpoint), (stand.merchant_id, "test")

    async def change(word: str) -> StoredReplay:
        return await replays.change(stand.postgres, word, replay.id, whose, "k")  # type: ignore[arg-type]

    await stand.configuration.refresh()
    job = await stand.take()
    paused = await change("pause")
    assert (paused.status, paused.reason) == ("paused", "merchant")
    await stand.replayer._work_on(job)  # the page that was under way is finished
    assert await stand.work.take() is None
    assert (await change("pause")).status == "paused"
    assert (await change("resume")).status == "counting"
    while (await stand.now(replay)).sent < 8:
        await stand.replayer._work_on(await stand.take())
        await stand.execute("update webhook_deliveries set attempts = 1")
    await change("pause")
    assert await stand.work.take() is None
    assert (await change("resume")).status == "sending"
    await stand.run()
    assert stand.events == stand.of(*range(25))
    for word in ("pause", "resume", "cancel"):
        with pytest.raises(replays.ReplayEnded):
            await change(word)
    audited = await stand.rows("select action from audit where subject = $1", replay.id)
    assert [row["action"].partition(".")[2] for row in audited] == [
        *("create", "pause", "resume", "pause", "resume"),
    ]


async def test_a_canceled_replay_sends_nothing_more(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    replay, whose = await stand.replay(endpoint), (stand.merchant_id, "test")
    await stand.configuration.refresh()
    while (await stand.now(replay)).status == "counting":
        await stand.replayer._work_on(await stand.take())
    job = await stand.take()
    canceled = await replays.change(stand.postgres, "cancel", replay.id, whose, "k")  # type: ignore[arg-type]
    assert (canceled.status, canceled.reason) == ("canceled", "merchant")
    await stand.replayer._work_on(job)
    assert stand.log.records == []
    assert await stand.work.take() is None
    again = await replays.change(stand.postgres, "cancel", replay.id, whose, "k")  # type: ignore[arg-type]
    assert again == canceled


async def test_a_disabled_endpoint_pauses_and_a_deleted_one_cancels_08_r31(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    replay = await stand.replay(endpoint)
    await stand.disable(endpoint)
    await stand.run()
    now = await stand.now(replay)
    assert (now.status, now.reason, now.sent) == ("paused", "endpoint_disabled", 0)
    assert stand.log.records == []
    other = await stand.replay(endpoint)
    configuration = await stand.configuration.refresh()
    tombstone = configuration.endpoints[endpoint].model_copy(update={"deleted": True})
    job = await stand.take()
    gone = hindrance(job, tombstone)
    assert gone is not None
    await stand.replayer._hinder(job, gone)
    now = await stand.now(other)
    assert (now.status, now.reason) == ("canceled", "endpoint_deleted")
    assert now.ended_at is not None


async def test_replays_of_one_merchant_are_bounded_however_many_ask_at_once(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    most = stand.settings.replays_unfinished_max
    asked = [stand.replay(endpoint) for _ in range(most + 5)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in made if isinstance(one, replays.TooManyUnfinished)]
    assert len(refused) == 5
    assert len([one for one in made if isinstance(one, StoredReplay)]) == most


async def test_workers_share_replays_and_no_page_is_two_workers(stand: Stand) -> None:
    endpoint = await stand.add_endpoint()
    for _ in range(6):
        await stand.replay(endpoint)
    taken = await asyncio.gather(*(stand.work.take() for _ in range(8)))
    ids = [job.id for job in taken if job is not None]
    assert len(ids) == len(set(ids)) == 6
