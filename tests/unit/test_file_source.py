"""A capture file as a source: what is wanted of it, and that others have their turn meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.replay import file_source
from headgate.replay.file_source import TURN_RECORDS, FileSource
from headgate.replay.recorded import Recorded
from headgate.replay.selection import Selection
from tests.unit.recorded_setting import a_record, written

TURNS = 8
COUNT = TURNS * TURN_RECORDS


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of a record a millisecond."""
    path = tmp_path_factory.mktemp("capture") / "traffic.ndjson"
    return written(path, *(a_record(at, at) for at in range(COUNT)))


@pytest.mark.parametrize(
    ("selection", "offsets"),
    [
        (Selection(), range(COUNT)),
        (Selection(since_ms=COUNT - 2), range(COUNT - 2, COUNT)),
        (Selection(last=3), range(COUNT - 3, COUNT)),
        (Selection(last=COUNT + 1), range(COUNT)),
        (Selection(until_ms=5, last=3), range(2, 5)),
        (Selection(keys=frozenset({b"pay_other"})), range(0)),
    ],
)
async def test_others_have_their_turn_while_nothing_is_wanted(
    file: Path, selection: Selection, offsets: range
) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    source, beside = FileSource(file, selection), asyncio.create_task(others())
    assert [record.offset async for record in source.records()] == list(offsets)
    beside.cancel()
    assert turns >= TURNS
    assert await source.count() == len(offsets)


async def test_counting_ends_when_it_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def large(path: Path, *, partial: bool) -> Iterator[Recorded]:
        nonlocal read
        del path, partial
        for number in range(2_000_000):
            read = number
            yield a_record()

    monkeypatch.setattr(file_source, "records_of", large)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await FileSource(Path("large.ndjson"), Selection()).count()
    before = read
    await asyncio.sleep(0.05)
    assert read == before
