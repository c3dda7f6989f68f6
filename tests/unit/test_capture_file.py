"""Capture files: exact for any bytes, whole or noticed to be cut, and errors that say the line."""

from __future__ import annotations

import importlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.replay import capture_lines
from headgate.replay.capture_file import CaptureFile, CaptureUnwritable, header_of, records_of
from headgate.replay.capture_lines import line_of, record_of
from headgate.replay.capture_parquet import ParquetMissing
from headgate.replay.recorded import Recorded, SourceUnreadable
from tests.unit.recorded_setting import HEADER, a_record, full_disk, written

NAMES = ("traffic.ndjson", "traffic.ndjson.zst", "traffic.parquet")
each_form = pytest.mark.parametrize("name", NAMES)
each_lines_form = pytest.mark.parametrize("name", NAMES[:2])

int64 = st.integers(0, 2**63 - 1)
values = st.binary(max_size=200) | st.text(max_size=50).map(lambda text: text.encode())
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
anything = st.builds(
    Recorded,
    topic=names,
    partition=st.integers(0, 2**31 - 1),
    offset=int64,
    at_ms=st.integers(-1, 2**63 - 1),
    key=st.none() | values,
    value=st.none() | values,
    headers=st.lists(st.tuples(names, values), max_size=4).map(tuple),
)


@given(anything)
def test_a_record_is_the_same_after_its_line(record: Recorded) -> None:
    line = line_of(record)
    assert b"\n" not in line
    assert record_of(line) == record


@each_form
def test_records_are_the_same_after_a_file(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("capture") / name

    @settings(max_examples=30)
    @given(st.lists(anything, max_size=20))
    def check(records: list[Recorded]) -> None:
        assert list(records_of(written(path, *records))) == records

    check()


def test_a_line_has_the_form_that_the_docs_promise() -> None:
    record = a_record(
        17, 1_780_000_000_000, 3, value='{"a":"ü"}'.encode(), headers=(("x", b"\xff"),)
    )
    assert json.loads(line_of(record)) == {
        "topic": "payments.commands",
        "partition": 3,
        "offset": 17,
        "at_ms": 1_780_000_000_000,
        "key": "pay_1",
        "value": '{"a":"ü"}',
        "headers": [["x", {"base64": "/w=="}]],
    }


def test_a_file_begins_with_its_header_and_ends_with_its_end(tmp_path: Path) -> None:
    lines = written(tmp_path / "a.ndjson", a_record()).read_text().splitlines()
    assert json.loads(lines[0]) == {
        "capture": 1,
        "headgate": "0.1.0",
        "namespace": "",
        "partitions": 8,
        "topics": ["payments.commands"],
        "began_at": "2026-11-26T10:00:00.000Z",
    }
    assert json.loads(lines[-1]) == {"end": True, "records": 1}
    assert len(lines) == 3


@each_form
def test_the_header_is_read_alone(name: str, tmp_path: Path) -> None:
    assert header_of(written(tmp_path / name, a_record())) == HEADER


@each_form
def test_many_records_are_written_in_groups_and_read_again(name: str, tmp_path: Path) -> None:
    many = [a_record(offset, value=b"x" * 100) for offset in range(25_000)]
    assert list(records_of(written(tmp_path / name, *many))) == many


@each_form
def test_a_file_has_its_name_once_it_is_whole(name: str, tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / name, HEADER)
    file.write(a_record())
    assert [path.name for path in tmp_path.iterdir()] == [file.part.name]
    assert f".part-{os.getpid()}." in file.part.name
    file.finish()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@each_form
def test_what_was_abandoned_is_read_as_a_part_only(name: str, tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / name, HEADER)
    file.write(a_record())
    file.abandon()
    assert not (tmp_path / name).exists()
    with pytest.raises(SourceUnreadable, match="--partial takes the 1 records"):
        list(records_of(file.part))
    assert list(records_of(file.part, partial=True)) == [a_record()]


def test_what_was_abandoned_without_a_record_goes(tmp_path: Path) -> None:
    CaptureFile(tmp_path / NAMES[1], HEADER).abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_capture_that_was_cut_by_its_user_says_so(tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / NAMES[0], HEADER)
    file.write(a_record())
    file.finish(cut_by_user=True)
    assert file.path.read_text().splitlines()[-1] == '{"end":true,"records":1,"cut_by_user":true}'
    assert list(records_of(file.path)) == [a_record()]


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path / NAMES[0], a_record())
    with pytest.raises(CaptureUnwritable, match="exists; choose another name, or say --overwrite"):
        CaptureFile(path, HEADER)
    assert list(records_of(path)) == [a_record()]


def test_a_name_says_how_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(CaptureUnwritable, match=r"must end in \.ndjson, \.ndjson\.zst, \.parquet"):
        CaptureFile(tmp_path / "traffic.json", HEADER)
    with pytest.raises(SourceUnreadable, match="is no capture file"):
        list(records_of(tmp_path / "traffic.json"))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaptureUnwritable, match="cannot be written: No such file or directory"):
        CaptureFile(tmp_path / "nowhere" / NAMES[0], HEADER)


def fill(file: CaptureFile, count: int) -> None:
    """Write so many records, and finish it."""
    for offset in range(count):
        file.write(a_record(offset, value=os.urandom(100)))
    file.finish()


@pytest.mark.parametrize("count", [1, 12_000])
@each_form
def test_a_full_disk_is_told_and_the_part_is_left(name: str, count: int, tmp_path: Path) -> None:
    part = full_disk(tmp_path / name)
    file = CaptureFile(tmp_path / name, HEADER)
    with pytest.raises(CaptureUnwritable, match="No space left on device"):
        fill(file, count)
    file.abandon()
    assert file.failed
    assert file._raw.closed
    assert list(tmp_path.iterdir()) == [part]


def without_pyarrow(name: str) -> object:
    raise ImportError(name)


def test_parquet_without_its_package_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib, "import_module", without_pyarrow)
    with pytest.raises(ParquetMissing, match=r"install `headgate\[parquet\]`, or name .*\.zst"):
        CaptureFile(tmp_path / NAMES[2], HEADER)
    assert list(tmp_path.iterdir()) == []


def cut(keep: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Keeps a part of a file's bytes."""
    return lambda path: void(path.write_bytes(keep(path.read_bytes())))


def void(_: object) -> None:
    """Nothing."""


@each_lines_form
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_anywhere_is_noticed(name: str, kept: float, tmp_path: Path) -> None:
    many = [a_record(offset, value=os.urandom(50)) for offset in range(8000)]
    path = written(tmp_path / name, *many)
    cut(lambda raw: raw[: int(len(raw) * kept)])(path)
    with pytest.raises(SourceUnreadable, match="--partial"):
        list(records_of(path))
    found = list(records_of(path, partial=True))
    assert found == many[: len(found)]
    assert len(found) > 8000 * kept - 1500


def test_a_parquet_file_that_is_cut_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / NAMES[2], a_record())
    cut(lambda raw: raw[:-10])(path)
    with pytest.raises(SourceUnreadable, match="no Parquet file, or it is cut or damaged"):
        list(records_of(path, partial=True))


def test_a_file_whose_end_was_cut_off_at_a_line_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / NAMES[0], a_record(1), a_record(2))
    cut(lambda raw: b"".join(raw.splitlines(keepends=True)[:-2]))(path)
    with pytest.raises(SourceUnreadable, match=r"it has no end\. --partial takes the 1 records"):
        list(records_of(path))
    assert list(records_of(path, partial=True)) == [a_record(1)]


GOOD = line_of(a_record())
WRONG = {
    b"": "Invalid JSON: EOF",
    b"nonsense": "Invalid JSON",
    b"[]": "should be an object",
    b"\xff\xfe": "Invalid JSON",
    GOOD.replace(b'"partition":0', b'"partition":"0"'): "partition: Input should be a valid int",
    GOOD.replace(b'"partition":0', b'"partition":-1'): "partition: .*greater than or equal to 0",
    GOOD.replace(b'"offset":0', b'"offset":9223372036854775808'): "offset: ",
    GOOD.replace(b'"offset":0,', b""): "offset: Field required",
    GOOD.replace(b'"{}"', b'{"base64":"#"}'): "value: .*base64",
    GOOD.replace(b'"{}"', b"7"): "value: .* must be text",
    GOOD.replace(b'"{}"', b'"\\ud800"'): "Invalid JSON",
    GOOD.replace(b'"topic"', b'"more":1,"topic"'): "more: Extra inputs",
    GOOD.replace(b'[["v","1"]]', b'[["v"]]'): "headers",
    GOOD.replace(b'[["v","1"]]', b'[["v",null]]'): "headers.0.1: .* must be text",
}


@pytest.mark.parametrize(("line", "said"), WRONG.items(), ids=range(len(WRONG)))
def test_a_wrong_line_is_told_by_its_number(line: bytes, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / NAMES[0], a_record(1))
    cut(lambda raw: raw.replace(b'{"end"', line + b'\n{"end"'))(path)
    with pytest.raises(SourceUnreadable, match=rf"traffic\.ndjson, line 3: (?s:.*){said}"):
        list(records_of(path))


def test_what_a_wrong_line_holds_is_not_told(tmp_path: Path) -> None:
    path = written(tmp_path / NAMES[0])
    cut(lambda raw: raw.replace(b'{"end"', b'{"topic":"4111111111111111"}\n{"end"'))(path)
    with pytest.raises(SourceUnreadable) as told:
        list(records_of(path))
    assert "4111" not in str(told.value)


def test_a_line_that_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_lines, "LINE_BYTES_MAX", 1000)
    path = written(tmp_path / NAMES[0], a_record(1, value=b"x" * 2000))
    with pytest.raises(SourceUnreadable, match="line 2: it is longer than"):
        list(records_of(path))


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is empty"),
    "another program's": (lambda _: b'{"a":1}\n', "line 1: "),
    "later version": (lambda raw: raw.replace(b'"capture":1', b'"capture":2'), "line 1: capture: "),
    "more behind the end": (lambda raw: raw + GOOD + b"\n", "something follows its end"),
    "miscounted": (lambda raw: raw.replace(b'"records":1', b'"records":2'), "2 records, and has 1"),
    "twice in one": (lambda raw: raw[: raw.index(b'{"end"')] + raw, "line 3: "),
    "not compressed": (lambda raw: raw, ""),
}


@pytest.mark.parametrize("how", [name for name in BROKEN if name != "not compressed"])
def test_a_file_that_is_no_capture_is_told(how: str, tmp_path: Path) -> None:
    change, said = BROKEN[how]
    path = written(tmp_path / NAMES[0], a_record())
    cut(change)(path)
    with pytest.raises(SourceUnreadable, match=said):
        list(records_of(path))


def test_a_file_that_is_not_zstd_is_told(tmp_path: Path) -> None:
    path = tmp_path / NAMES[1]
    path.write_bytes(written(tmp_path / NAMES[0], a_record()).read_bytes())
    with pytest.raises(SourceUnreadable, match="is no zstd file, or it is damaged"):
        list(records_of(path))


def test_a_damaged_zstd_file_is_told(tmp_path: Path) -> None:
    many = [a_record(offset, value=os.urandom(50)) for offset in range(2000)]
    path = written(tmp_path / NAMES[1], *many)
    cut(lambda raw: raw[:5000] + bytes(100) + raw[5100:])(path)
    with pytest.raises(SourceUnreadable):
        list(records_of(path))


def test_two_zstd_files_in_one_are_read_as_their_lines_are(tmp_path: Path) -> None:
    """As `cat` and other tools make them."""
    lines = written(tmp_path / NAMES[0], a_record()).read_bytes().splitlines(keepends=True)
    path = tmp_path / NAMES[1]
    path.write_bytes(b"".join(zstandard.compress(line) for line in lines))
    assert list(records_of(path)) == [a_record()]


def test_a_parquet_file_of_others_is_told(tmp_path: Path) -> None:
    arrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    parquet.write_table(arrow.table({"a": [1]}), tmp_path / NAMES[2])
    with pytest.raises(SourceUnreadable, match="is a Parquet file, and no capture"):
        list(records_of(tmp_path / NAMES[2]))
