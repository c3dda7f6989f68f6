"""A whole run: what it begins with, what ends it, and what is remembered for the next sitting."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.replay import sitting, verdict, whole
from headgate.replay.checks import Check
from headgate.replay.guards import NotAllowed
from headgate.replay.journal import Journal
from headgate.replay.options import Options, WrongOptions
from headgate.replay.outlook import Outlook
from headgate.replay.progress import Progress, Series
from headgate.replay.recorded import Recorded, Source, SourceUnreadable
from headgate.replay.row import RunRow
from headgate.replay.sandbox import Played, Sandbox
from headgate.replay.sender import CutOff
from headgate.replay.sitting import Heed, Sitting, Stopped, heeding
from headgate.replay.standing import Stands, Stood
from headgate.replay.tally import Tally
from headgate.replay.whole import Ending, Wanted, carry_out
from headgate.streams.bus import Record
from headgate.streams.errors import LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres
from tests.unit.replay_runs import GOOD, a_run
from tests.unit.replay_setting import BEGAN_MS, Records, answer, create

LOG = Options(source=("log",), sink="commands", same_ids=True)
REST = Options(source=("log",))
NOBODY = cast("Postgres", None)
AT_ONCE_S = 1.0


def wanted(options: Options, remembered: dict[str, Any] | None = None) -> Wanted:
    """A run, or its next sitting."""
    return Wanted("run_a", options, BEGAN_MS, remembered)


class Unreadable:
    """A source of another version."""

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """One command."""
        yield Recorded("payments.commands", 0, 0, 1, b"pay_a", b'{"v":9}', ())

    async def count(self) -> int | None:
        """One."""
        return 1


@pytest.mark.parametrize(
    ("options", "source"),
    [
        (REST, Records([])),
        (REST, Records([answer(create(1), "approved")])),
        (REST, Unreadable()),
        (replace(REST, shape="soak", rate=5.0, for_s=3600.0), Unreadable()),
        (LOG, Unreadable()),
        (replace(REST, sink="topic:my.topic"), Records([])),
    ],
)
async def test_a_source_with_nothing_to_send_is_refused_and_not_called_whole(
    options: Options, source: Source, tmp_path: Path
) -> None:
    with pytest.raises(SourceUnreadable, match="holds nothing to send: of"):
        await carry_out(wanted(options), source, Settings(state_dir=tmp_path))


async def test_what_cannot_be_read_is_left_out_counted_and_told() -> None:
    outlook = Outlook(records=3, commands=3, unreadable=2, steps=1)
    [line] = whole._beforehand(LOG, outlook, None)
    assert line == "2 commands cannot be read by this version, and are left out"
    assert whole._planned(LOG, outlook) == 1
    [unreadable] = [each async for each in Unreadable().records()]
    assert not sitting.is_command(unreadable)
    [readable] = [each async for each in Records([create(1)]).records()]
    assert sitting.is_command(readable)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stores that know nothing of any command; how often payments were counted."""
    counted: list[int] = []

    async def quiet(*_: object) -> Check:
        return Check("log = decided", True, 0, 0, "")

    async def unknown(_postgres: Postgres, source: Source) -> int:
        return await source.count() or 0

    async def stood(_postgres: Postgres, ids: Sequence[str]) -> Stood:
        counted.append(len(ids))
        return Stood(frozenset(ids), Stands(payments=len(counted)))

    monkeypatch.setattr(whole, "caught_up", quiet)
    monkeypatch.setattr(whole, "never_decided", unknown)
    monkeypatch.setattr(whole, "stood", stood)
    return counted


async def before(options: Options, target: Settings, said: dict[str, Any] | None = None) -> Stood:
    """How two payments stood before the first sitting."""
    source = Records([create(1), create(2)])
    outlook = await Outlook.of(source, remember=True)
    return await whole._before(wanted(options, said), source, outlook, (target, target, NOBODY))


async def test_another_logs_commands_are_not_appended_unguarded(stores: list[int]) -> None:
    """Whoever is asked would decide them, in live mode too."""
    with pytest.raises(NotAllowed, match=r"2 commands .* never decided in the live namespace"):
        await before(LOG, Settings(namespace=""))
    assert not stores
    await before(replace(LOG, call_acquirer=True), Settings(namespace=""))
    await before(LOG, Settings(namespace="scratch_trial"))


async def test_what_a_killed_sitting_added_does_not_become_the_baseline(
    stores: list[int], tmp_path: Path
) -> None:
    settings, options = Settings(state_dir=tmp_path), replace(LOG, call_acquirer=True)
    first = await before(options, settings)
    whole._journal(wanted(options), replace(a_run(), before=first), settings).close()
    said = Journal.read(whole.folder_of(settings), "run_a")
    assert await before(options, settings, said) == first
    assert stores == [2]
    whole._journal(wanted(options, said), replace(a_run(), before=first), settings).close()
    assert Journal.read(whole.folder_of(settings), "run_a")["before"] == said["before"]


async def test_the_same_ids_are_counted_once_notify_and_deliver_are_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A webhook too many comes a moment after settle has read everything."""
    attempts = iter([0, 0, 1])

    async def caught_up(*_: object) -> Check:
        return Check("log = decided", True, 1, 1, "")

    async def stood(*_: object) -> Stood:
        return Stood(frozenset(), Stands(attempts=next(attempts, 1)))

    monkeypatch.setattr(verdict, "caught_up", caught_up)
    monkeypatch.setattr(verdict, "stood", stood)
    monkeypatch.setattr("headgate.replay.standing.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(verdict, "QUIET_S", 0.2)
    said = await verdict._same_ids(NOBODY, Settings(), Stood(frozenset(), Stands()), 60)
    assert [line.name for line in said if not line.ok] == ["same attempts"]


async def test_a_run_that_could_send_nothing_does_not_hold() -> None:
    """All that it was given was about payments whose creates were not in the source."""
    empty = replace(a_run(), sandbox=None, tally=Tally(planned=4))
    said = await verdict.judged(empty, Settings())
    assert [line.name for line in said.lines if not line.ok] == ["something was sent"]
    assert (await verdict.judged(replace(a_run(), sandbox=None), Settings())).holds


GIVEN = Sandbox("mer_1", "key_test_1", "secret", "whe_1")


async def ended_with(
    retire: BaseException | None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> tuple[Ending, list[str | None]]:
    """A whole run of somebody, and the endpoints that were deleted."""
    retired: list[str | None] = []

    @asynccontextmanager
    async def playing(*_: object) -> AsyncIterator[Played]:
        yield Played(sandbox)

    async def sit(*_: object) -> Ending:
        return Ending(a_run(), "whole", "", Series(), GOOD)

    async def retiring(_postgres: Postgres, of: Sandbox) -> None:
        retired.append(of.endpoint_id)
        if retire is not None:
            raise retire

    monkeypatch.setattr(whole, "playing", playing)
    monkeypatch.setattr(whole, "_sit", sit)
    monkeypatch.setattr(whole, "retire", retiring)
    return await carry_out(wanted(REST), Records([create(1)]), Settings()), retired


async def test_the_endpoint_of_a_run_is_deleted_also_of_a_merchant_that_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ending, retired = await ended_with(None, GIVEN, monkeypatch)
    assert (retired, ending.left) == (["whe_1"], "")


async def test_an_endpoint_that_stays_does_not_cost_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ending, _ = await ended_with(StoreUnavailable("PostgreSQL is away"), GIVEN, monkeypatch)
    assert ending.verdict == GOOD
    assert "whe_1 is still there" in ending.left
    assert "PostgreSQL is away" in ending.left


async def test_a_merchant_that_an_edge_knows_gets_a_secret_for_its_webhooks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The edge makes no endpoint with an empty one."""

    async def read(_self: object, _path: str) -> dict[str, Any]:
        return {"id": "mer_1", "livemode": False}

    monkeypatch.setattr("headgate.replay.sink_rest.RestSink.read", read)
    made = await whole.merchant_of("http://127.0.0.1:9", "key_test_1", "hush", REST)
    assert made.webhook_secret.startswith("whsec_")
    assert not made.own


async def never() -> None:
    """Work without an end."""
    await asyncio.Event().wait()


class Row:
    """Somebody asks for a stop there, or does not."""

    def __init__(self, *, stops: bool) -> None:
        self._stops = stops

    async def begin(self) -> None:
        """It begins."""

    async def tell(self, _state: str) -> bool:
        """Whether it is to stop."""
        return self._stops


@pytest.mark.parametrize("by_signal", [True, False])
async def test_a_signal_and_the_rows_stop_end_a_verdict_at_once(
    by_signal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sent(*_: object) -> None:
        if by_signal:
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Sitting, "_send", sent)
    monkeypatch.setattr(whole, "judged", lambda *_, **__: never())
    row = cast("RunRow", Row(stops=not by_signal))
    async with asyncio.timeout(AT_ONCE_S), heeding(row, Journal(tmp_path, "run_a")) as heed:
        progress = Progress(a_run())
        end, why, judged = await whole._whole(a_sitting(tmp_path), heed, NOBODY, None, progress)
    assert (end, judged) == ("stopped", None)
    assert why.startswith("it was told to stop")


def a_sitting(folder: Path, options: Options = REST) -> Sitting:
    """One that is about to send."""
    source = Records([create(number) for number in range(8)])
    journal = Journal(folder, "run_a")
    return Sitting(options, a_run(), source, Outlook(), journal, BEGAN_MS, Settings())


async def test_nothing_is_begun_after_a_stop_and_errors_are_told_as_they_are() -> None:
    heed = Heed()
    with pytest.raises(KeyError):
        await heed.ended(failing(KeyError()))
    heed.stop()
    with pytest.raises(Stopped):
        await heed.ended(never())


async def failing(error: Exception) -> None:
    """Work that does not succeed."""
    raise error


@pytest.mark.parametrize("error", [CutOff("no answer"), LogUnavailable("Kafka is away")])
async def test_a_source_that_is_away_in_mid_run_can_be_gone_on_with(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sitting, "_send", lambda *_: failing(error))
    assert await a_sitting(tmp_path).send(NOBODY, Heed()) == ("cut off", str(error))


class Log:
    """Takes records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Close."""

    async def publish(self, records: Sequence[Record]) -> list[object]:
        """Append."""
        self.records += records
        return []


@pytest.mark.parametrize("partitions", [2, 0])
async def test_a_topic_has_the_partitions_that_kafka_says_it_has(
    partitions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(_settings: Settings, topic: str) -> int:
        assert topic == "my.topic"
        return partitions

    log = Log()
    monkeypatch.setattr(sitting, "partitions_of", told)
    monkeypatch.setattr("headgate.streams.bus.Bus.of", lambda *_: log)
    options = replace(REST, sink="topic:my.topic", as_fast=True)
    about_to = replace(a_sitting(tmp_path, options), source=Far())
    if not partitions:
        with pytest.raises(WrongOptions, match=r"no topic my\.topic on Kafka"):
            await about_to.send(NOBODY, Heed())
        return
    assert await about_to.send(NOBODY, Heed()) == ("whole", "")
    assert {record.partition for record in log.records} == {0, 1}


class Far:
    """Records of a log with more partitions than most."""

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """Eight, all of the last partition."""
        for number in range(8):
            yield Recorded("t", 31, number, BEGAN_MS, f"pay_{number}".encode(), b"{}", ())

    async def count(self) -> int | None:
        """Eight."""
        return 8
