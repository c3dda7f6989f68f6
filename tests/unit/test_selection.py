"""Which records are meant: what may be typed, what it selects, and in which order it comes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.cli.selecting import add_selection, moment, selection_of, settings_of
from headgate.replay.merge import Merge
from headgate.replay.recorded import Recorded, SourceUnreadable
from headgate.replay.selection import DEFAULT_TOPICS, Place, Selection, WrongSelection
from headgate.replay.sources import opened
from headgate.streams.clock import from_iso, now_ms
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS, PAYMENT_FACTS
from tests.unit.recorded_setting import a_record, written

COMMANDS, FACTS = "payments.commands", "payments.facts"


def typed_of(words: Sequence[str]) -> tuple[Selection, argparse.Namespace]:
    """What the words select, and everything that they say."""
    parser = argparse.ArgumentParser()
    add_selection(parser)
    given = parser.parse_args(words)
    return selection_of(given), given


def typed(*words: str) -> Selection:
    return typed_of(words)[0]


def test_nothing_typed_excludes_nothing() -> None:
    assert typed() == Selection()
    assert Selection().wants(a_record())


def test_what_is_taken_when_no_topic_is_named_are_commands_and_facts() -> None:
    assert (PAYMENT_COMMANDS.name, PAYMENT_FACTS.name) == DEFAULT_TOPICS


def test_the_parser_of_all_verbs_imports_nothing_dear() -> None:
    """`headgate --help` must not wait for pydantic."""
    code = "import sys, headgate.__main__, headgate.cli.selecting; print('pydantic' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert told.stdout == "False\n"


def test_every_option_has_its_place() -> None:
    found = typed(
        "--topic", FACTS, "--topic", FACTS, "--since", "2026-11-26T10:00:00Z", "--until",
        "2026-11-26T12:00:00+01:00", "--begin", "3:17", "--end", f"{FACTS}:3:20",
        "--payment", "pay_1",
        "--payment", "pay_2", "--last", "5",
    )  # fmt: skip
    assert found == Selection(
        topics=(FACTS,),
        since_ms=from_iso("2026-11-26T10:00:00Z"),
        until_ms=from_iso("2026-11-26T11:00:00Z"),
        starts={(FACTS, 3): 17},
        ends={(FACTS, 3): 20},
        keys=frozenset({b"pay_1", b"pay_2"}),
        last=5,
    )


@given(
    st.builds(
        Selection,
        topics=st.sampled_from([(COMMANDS,), (COMMANDS, FACTS)]),
        since_ms=st.none() | st.integers(0, 1_000_000),
        until_ms=st.none() | st.integers(1_000_001, 4_000_000_000_000),
        starts=st.dictionaries(st.tuples(st.just(COMMANDS), st.integers(0, 9)), st.integers(0, 5)),
        ends=st.dictionaries(
            st.tuples(st.just(COMMANDS), st.integers(0, 9)), st.integers(5, 2**50)
        ),
        keys=st.frozensets(st.text("abc_", min_size=1, max_size=4).map(lambda text: text.encode())),
        last=st.none() | st.integers(1, 1000),
    )
)
def test_a_selection_is_the_same_after_its_words(selection: Selection) -> None:
    assert typed(*selection.words()) == selection


@pytest.mark.parametrize(
    ("text", "ago_s"), [("90s", 90), ("30m", 1800), ("1h ago", 3600), ("2d", 172_800)]
)
def test_a_time_may_be_how_long_ago(text: str, ago_s: int) -> None:
    before = now_ms()
    assert before <= moment(text) + ago_s * 1000 <= now_ms()


@pytest.mark.parametrize("text", ["2026-11-26T10:00:00", "2026-11-26 10:00", "2026-11-26T10:00Z"])
def test_a_time_is_utc_unless_it_says_otherwise(text: str) -> None:
    assert moment(text) == from_iso("2026-11-26T10:00:00Z")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "yesterday"], "'yesterday' is no time; say 2026-11-26T10:00:00Z, or how long"),
        (["--begin", "17"], "'17' is no place; say PARTITION:OFFSET such as 3:17"),
        (["--end", "3:-1"], "'3:-1' is no place"),
        (["--last", "0"], "'0' is no whole number from 1 to"),
        (["--last", "9" * 30], "is no whole number from 1 to"),
        (["--namespace", "Prod"], "'Prod' is no namespace"),
    ],
)
def test_what_cannot_be_read_is_told(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        typed(*words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--begin", "3:17"], f"may be of {COMMANDS} or {FACTS}: name one with --topic"),
        (["--topic", FACTS, "--end", f"{COMMANDS}:3:1"], f"names {COMMANDS}, and --topic does not"),
        (["--topic", FACTS, "--end", "3:1", "--end", "3:2"], "names partition 3 of .* twice"),
        (["--topic", FACTS, "--begin", "3:2", "--end", "3:1"], "is behind its --end 1"),
        (["--since", "1h", "--until", "2h"], "is not before --until"),
    ],
)
def test_what_contradicts_itself_is_told(words: list[str], said: str) -> None:
    with pytest.raises(WrongSelection, match=said):
        typed(*words)


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(topics=(COMMANDS,)), True),
        (Selection(topics=(FACTS,)), False),
        (Selection(since_ms=1000), True),
        (Selection(since_ms=1001), False),
        (Selection(until_ms=1000), False),
        (Selection(until_ms=1001), True),
        (Selection(starts={(COMMANDS, 0): 5}), True),
        (Selection(starts={(COMMANDS, 0): 6}), False),
        (Selection(ends={(COMMANDS, 0): 5}), False),
        (Selection(ends={(COMMANDS, 0): 6}), True),
        (Selection(starts={(COMMANDS, 1): 0}), False),
        (Selection(starts={(COMMANDS, 1): 0}, ends={(COMMANDS, 0): 9}), True),
        (Selection(keys=frozenset({b"pay_1"})), True),
        (Selection(keys=frozenset({b"pay_2"})), False),
    ],
)
def test_a_record_is_wanted_when_everything_holds(selection: Selection, wanted: bool) -> None:
    assert selection.wants(a_record(offset=5, at_ms=1000)) is wanted


def test_another_namespace_may_be_named() -> None:
    parser = argparse.ArgumentParser()
    add_selection(parser)
    assert settings_of(parser.parse_args(["--namespace", "trial"])).prefix == "trial."


async def read(path: Path, selection: Selection) -> list[Recorded]:
    source = opened(str(path), selection, Settings())
    found = [record async for record in source.records()]
    assert await source.count() == len(found)
    return found


async def test_a_file_gives_what_is_wanted_of_it(tmp_path: Path) -> None:
    every = [a_record(n, n * 1000, key=b"pay_%d" % (n % 3)) for n in range(10)]
    path = written(tmp_path / "a.ndjson", *every)
    assert await read(path, Selection()) == every
    assert await read(path, Selection(last=4)) == every[-4:]
    assert await read(path, Selection(last=40)) == every
    assert await read(path, Selection(keys=frozenset({b"pay_1"}), last=2)) == [every[4], every[7]]
    assert await read(path, Selection(since_ms=2000, until_ms=5000)) == every[2:5]


async def test_a_file_tells_how_to_open_it_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", a_record())
    source = opened(str(path), Selection(last=1), Settings(), partial=True)
    assert await source.frozen() == [str(path), "--last", "1", "--partial"]


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"lok is no source: say `log`, or name a file"):
        opened("lok", Selection(), Settings())
    with pytest.raises(SourceUnreadable, match="there is no file"):
        opened(str(tmp_path / "a.ndjson"), Selection(), Settings())


part_times = st.lists(st.integers(0, 50), max_size=12)


def merged(partitions: list[list[Recorded]], piece: int) -> list[Recorded]:
    """The records as a reader gets them that is shown so many of a partition at a time."""
    merge = Merge((COMMANDS, number) for number in range(len(partitions)))
    left = {(COMMANDS, number): records for number, records in enumerate(partitions)}
    found: list[Recorded] = []
    while merge.lacking:
        for part in merge.lacking:
            merge.add(part, left[part][:piece])
            left[part] = left[part][piece:]
            if not left[part]:
                merge.finish(part)
        found += merge.ready()
    return found


@given(st.lists(part_times, max_size=5), st.integers(1, 4))
def test_partitions_in_order_are_merged_into_the_order_of_time(
    times: list[list[int]], piece: int
) -> None:
    partitions = [
        [a_record(offset, at_ms, number) for offset, at_ms in enumerate(sorted(part))]
        for number, part in enumerate(times)
    ]
    every = [record for part in partitions for record in part]
    assert merged(partitions, piece) == sorted(
        every, key=lambda r: (r.at_ms, r.topic, r.partition, r.offset)
    )


@given(st.lists(part_times, max_size=5), st.integers(1, 4))
def test_each_partition_keeps_its_order_whatever_its_times(
    times: list[list[int]], piece: int
) -> None:
    """A record that waited in the outbox is older than the one before it."""
    partitions = [
        [a_record(offset, at_ms, number) for offset, at_ms in enumerate(part)]
        for number, part in enumerate(times)
    ]
    found = merged(partitions, piece)
    assert found == merged(partitions, 100), "how much is shown at a time decides nothing"
    for number, part in enumerate(partitions):
        assert [record for record in found if record.partition == number] == part


def test_a_place_is_what_was_typed() -> None:
    parser = argparse.ArgumentParser()
    add_selection(parser)
    given = parser.parse_args(["--begin", f"{COMMANDS}:3:17", "--end", "4:18"])
    assert given.begin == [Place(COMMANDS, 3, 17)]
    assert given.end == [Place(None, 4, 18)]


def test_verbs_that_do_not_send_know_shorter_names_too() -> None:
    parser = argparse.ArgumentParser()
    add_selection(parser, short=True)
    words = ["--topic", FACTS, "--from", "3:17", "--to", "3:18", "--key", "pay_1"]
    assert selection_of(parser.parse_args(words)) == typed(
        "--topic", FACTS, "--begin", "3:17", "--end", "3:18", "--payment", "pay_1"
    )
