"""When a log that shows nothing is given up, and when it was only the reader who took its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from headgate.replay import log_source
from headgate.replay.log_ranges import Spans
from headgate.replay.log_source import STALL_S, LogSource
from headgate.replay.merge import Merge
from headgate.replay.selection import Part, Selection
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_reader import Extent
from headgate.streams.settings import Settings
from tests.unit.recorded_setting import a_record

PART: Part = ("payments.commands", 0)
Poll = Callable[[Merge], bool]


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Log(LogSource):
    """A log of two records whose polls show what the test says."""

    def __init__(self, *polls: Poll) -> None:
        super().__init__(Settings.model_construct(), Selection())
        self._polls = list(polls)

    async def spans(self) -> Spans:
        return {PART: Extent(0, 2)}

    async def _fetch(self, consumer: object, merge: Merge, wanted: Spans) -> bool:
        del consumer, wanted
        return self._polls.pop(0)(merge)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the source, which has a consumer that does nothing."""

    @asynccontextmanager
    async def connected(*_: object) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(assign=lambda _: None, seek=lambda *_: None)

    clock = Clock()
    monkeypatch.setattr(log_source, "connected", connected)
    monkeypatch.setattr(log_source, "time", SimpleNamespace(monotonic=clock))
    return clock


def shows(offset: int) -> Poll:
    """A poll with a record."""

    def poll(merge: Merge) -> bool:
        merge.add(PART, [a_record(offset)])
        return True

    return poll


def ends(merge: Merge) -> bool:
    """A poll after which nothing more comes."""
    merge.finish(PART)
    return True


def nothing(merge: Merge) -> bool:
    """An empty poll."""
    del merge
    return False


async def test_a_reader_that_takes_its_time_is_no_silence_of_kafka(clock: Clock) -> None:
    read = []
    async for record in Log(shows(0), nothing, shows(1), nothing, ends).records():
        read.append(record.offset)
        clock.now += STALL_S + 1
    assert read == [0, 1]


async def test_kafka_that_shows_nothing_is_given_up(clock: Clock) -> None:
    def late(merge: Merge) -> bool:
        clock.now += STALL_S + 1
        return nothing(merge)

    with pytest.raises(LogUnavailable, match="has shown nothing for 30 s"):
        async for _ in Log(shows(0), nothing, late).records():
            pass
