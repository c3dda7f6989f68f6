"""The feed of events: cursors that survive anything, pages without gaps whatever their size."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.commands import Mode
from headgate.streams.settings import Settings
from headgate.tables.event_cursors import (
    GENESIS,
    Cursor,
    CursorUnreadableError,
    Place,
    decode,
    encode,
)
from headgate.tables.event_feed import Asked, Feed, Told, like_patterns
from headgate.tables.postgres import Postgres, Row

WHOSE: tuple[str, Mode] = ("mer_1", "test")
OFFSETS = st.integers(0, 2**62)
CURSORS = st.dictionaries(
    st.integers(0, 1024), st.builds(Place, OFFSETS, st.integers(0, 2**31)), max_size=20
)


@given(CURSORS)
def test_a_cursor_comes_back_from_its_text(cursor: Cursor) -> None:
    text = encode(cursor)
    assert decode(text) == cursor
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()


@given(CURSORS, st.data())
def test_a_cursor_that_was_cut_or_changed_is_refused(cursor: Cursor, data: Any) -> None:
    text = encode(cursor)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABab01-_ !é"))
    for broken in (text[:place], text[:place] + other + text[place + 1 :], text + other):
        if broken != text:
            with pytest.raises(CursorUnreadableError):
                decode(broken)


@pytest.mark.parametrize("text", ["", "x", "genesis", "A" * 12_001, "AQ", "////", "\x00"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorUnreadableError):
        decode(text)


class Log(Postgres):
    """Operations and facts in memory, answered as the statements do."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.operations: list[dict[str, Any]] = []
        self.windows: list[int] = []

    @property
    def ends(self) -> dict[int, int]:
        """The next offset of each partition."""
        ends: dict[int, int] = {}
        for operation in self.operations:
            ends[operation["partition"]] = operation["offset"] + 1
        return ends

    def add(self, partition: int, facts: int, at_s: int) -> None:
        """One more operation, with so many facts."""
        offset = self.ends.get(partition, 0) + 1
        self.operations.append(
            {
                "payment_id": f"pay_{partition}_{offset}",
                "partition": partition,
                "offset": offset,
                "first_sequence": 1,
                "last_sequence": facts,
                "created_at": datetime.fromtimestamp(at_s, UTC),
            }
        )

    @property
    def told(self) -> set[bytes]:
        """Every event."""
        return {
            f"{operation['payment_id']}/{n}".encode()
            for operation in self.operations
            for n in range(1, operation["last_sequence"] + 1)
        }

    async def fetch(self, name: str, *arguments: Any) -> Sequence[Row]:
        """What the named statement finds."""
        found = self._window(*arguments[2:]) if name == "events_window" else self._told(*arguments)
        return [cast("Row", row) for row in found]

    def _window(
        self,
        partitions: list[int],
        offsets: list[int],
        sequences: list[int],
        below: list[int],
        size: int,
    ) -> list[dict[str, Any]]:
        self.windows.append(size)
        found = []
        for place in zip(partitions, offsets, sequences, below, strict=True):
            partition, offset, sequence, end = place
            mine = [
                row
                for row in self.operations
                if row["partition"] == partition
                and offset <= row["offset"] < end
                and (row["offset"] > offset or row["last_sequence"] > sequence)
            ]
            found += mine[:size]
        return found

    def _told(
        self, payments: list[str], firsts: list[int], lasts: list[int], types: list[str] | None
    ) -> list[dict[str, Any]]:
        return [
            {
                "payment_id": payment,
                "sequence": n,
                "event_id": f"evt_{payment}_{n}",
                "type": "t",
                "payload": f"{payment}/{n}".encode(),
            }
            for payment, first, last in zip(payments, firsts, lasts, strict=True)
            for n in range(first, last + 1)
            if types is None or f"t{n}" in types  # no pattern of these tests holds a wildcard
        ]


def check_order(events: Sequence[Told]) -> None:
    """Every partition's events come in the order of its log."""
    reached: dict[str, tuple[int, int]] = {}
    for event in events:
        _, partition, rest = event.payload.decode().split("_")
        offset, _, sequence = rest.partition("/")
        place = (int(offset), int(sequence))
        assert reached.get(partition, (0, 0)) < place
        reached[partition] = place


@pytest.mark.parametrize("seed", range(25))
async def test_pages_give_every_event_once_while_others_are_written_08_r17(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  the same turns in every run
    log = Log()
    feed = Feed(Settings(partitions=4), log)
    limit, cursor = chance.randint(1, 9), GENESIS
    seen: list[Told] = []
    for turn in range(2000):
        writing = turn < 60
        for _ in range(chance.randint(0, 6) if writing else 0):
            log.add(chance.randrange(4), chance.randrange(5), turn + chance.randint(-3, 3))
        settled = dict(log.ends)
        if writing and chance.random() < 0.5:
            log.add(chance.randrange(4), 2, turn)  # Written between the two reads.
        page = await feed.page(Asked(*WHOSE), decode(encode(cursor)), settled, limit)
        assert len(page.events) <= limit
        seen += page.events
        # A viewer goes on from an event or from the end of a page, as it likes.
        stop = chance.random() < 0.3 and bool(page.events)
        cursor = page.events[-1].cursor if stop else page.cursor
        if not writing and not page.more and not stop:
            break
    payloads = [event.payload for event in seen]
    assert len(payloads) == len(set(payloads))
    assert set(payloads) == log.told
    check_order(seen)


async def test_a_filter_that_fits_little_ends_in_a_page_that_says_so() -> None:
    log = Log()
    for number in range(5000):
        log.add(0, 1, number)
    feed = Feed(Settings(partitions=4), log)
    asked = Asked(*WHOSE, types=("t9",))
    page = await feed.page(asked, GENESIS, log.ends, 10)
    assert (page.events, page.more) == ([], True)
    assert page.cursor[0].offset > 1000
    while page.more:
        page = await feed.page(asked, page.cursor, log.ends, 10)
    assert page.cursor[0] == Place(log.ends[0])
    assert max(log.windows) <= 2000


async def test_partitions_are_merged_by_time() -> None:
    log = Log()
    for at_s, partition in enumerate([3, 1, 1, 2, 3, 0]):
        log.add(partition, 1, at_s)
    page = await Feed(Settings(partitions=4), log).page(Asked(*WHOSE), GENESIS, log.ends, 10)
    assert [event.payload.decode()[4] for event in page.events] == list("311230")


async def test_a_range_of_time_begins_with_its_first_and_ends_before_its_last_moment() -> None:
    log = Log()
    for at_s in (1, 2, 3, 4, 5):
        log.add(0, 2, at_s)
    since, until = (datetime.fromtimestamp(at_s, UTC) for at_s in (2, 4))
    asked = Asked(*WHOSE, since=since, until=until)
    page = await Feed(Settings(partitions=4), log).page(asked, GENESIS, log.ends, 10)
    offsets = [event.payload.split(b"_")[2] for event in page.events]
    assert offsets == [b"3/1", b"3/2", b"5/1", b"5/2"]
    assert page.cursor[0] == Place(log.ends[0])


@pytest.mark.parametrize(
    ("types", "patterns"),
    [
        ((), None),
        (("*",), ["%"]),
        (("payment.*", "refund.processed"), ["payment.%", "refund.processed"]),
        (
            ("payment.requires_action", "50%", "a\\b"),
            [r"payment.requires\_action", r"50\%", r"a\\b"],
        ),
    ],
)
def test_types_become_patterns_in_which_only_the_star_is_wild(
    types: tuple[str, ...], patterns: list[str] | None
) -> None:
    assert like_patterns(types) == patterns
