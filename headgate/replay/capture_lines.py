"""Capture files of lines: one JSON object each, plain or compressed with zstd."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import orjson
import zstandard
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from headgate.replay.capture_format import End, Header, Item
from headgate.replay.recorded import Recorded, SourceUnreadable

LINE_BYTES_MAX = 16 << 20
"""Longest line that is read. A record has at most 1 MiB; escaped as JSON, six times as much."""
BUFFER_BYTES = 1 << 20
COMPRESSED_SUFFIX = ".zst"
INT64_MAX = 2**63 - 1

Text = dict[str, str] | str | None
M = TypeVar("M", bound=BaseModel)


def _raw(told: object) -> bytes | None:
    """The bytes that a line tells as text, or in base64 when they are no UTF-8."""
    match told:
        case None:
            return None
        case str():
            return told.encode()
        case {"base64": str(text), **more} if not more:
            return b64decode(text, validate=True)
    raise ValueError('must be text, {"base64": "..."} or null')


def _raw_value(told: object) -> bytes:
    raw = _raw(told)
    if raw is None:
        raise ValueError('must be text or {"base64": "..."}')
    return raw


Raw = Annotated[bytes | None, PlainValidator(_raw)]
RawValue = Annotated[bytes, PlainValidator(_raw_value)]


class _Line(BaseModel):
    """A record as one line holds it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    topic: str
    partition: int = Field(ge=0, le=2**31 - 1)
    offset: int = Field(ge=0, le=INT64_MAX)
    at_ms: int = Field(ge=-1, le=INT64_MAX)
    key: Raw
    value: Raw
    headers: tuple[tuple[str, RawValue], ...]


def line_of(record: Recorded) -> bytes:
    """A record as a line, without its end."""
    return orjson.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "at_ms": record.at_ms,
            "key": _text(record.key),
            "value": _text(record.value),
            "headers": [[name, _text(value)] for name, value in record.headers],
        }
    )


def record_of(line: bytes) -> Recorded:
    """The record of a line. Raises ValueError, told for people, without what the line holds."""
    return Recorded(**dict(_model(_Line, line)))


class LinesWriter:
    """Writes lines to an open file."""

    def __init__(self, raw: BinaryIO, header: Header) -> None:
        self._out: BufferedWriter | BinaryIO = raw
        self._write(header.model_dump_json().encode())

    def write(self, record: Recorded) -> None:
        """Append a record."""
        self._write(line_of(record))

    def close(self, end: End | None) -> None:
        """Write the end, if it came to one, and whatever is still in memory."""
        if end is not None:
            self._write(end.model_dump_json().encode())
        self._out.flush()

    def _write(self, line: bytes) -> None:
        self._out.write(line + b"\n")


class CompressedLinesWriter(LinesWriter):
    """Writes lines through zstd."""

    def __init__(self, raw: BinaryIO, header: Header) -> None:
        stream = zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
        self._buffer = BufferedWriter(stream, BUFFER_BYTES)  # type: ignore[type-var]  # it has all that is called
        super().__init__(self._buffer, header)

    def close(self, end: End | None) -> None:
        """Write the end, if it came to one, and whatever is still in memory."""
        super().close(end)
        self._buffer.close()


def items_of(path: Path, *, partial: bool) -> Iterator[Item]:
    """What a file of lines holds; of a file that is cut in a line, when a `partial` one will do,
    what stands before it. Raises SourceUnreadable with the line's number."""
    number = 0
    with path.open("rb") as raw:
        for line in _lines(raw, path):
            number += 1
            if len(line) > LINE_BYTES_MAX:
                raise SourceUnreadable(
                    f"{path}, line {number}: it is longer than {LINE_BYTES_MAX >> 20} MiB"
                )
            if not line.endswith(b"\n") and partial:
                return
            try:
                yield _item(number, line)
            except ValueError as error:
                hint = "" if line.endswith(b"\n") else "; the file is cut here, see --partial"
                raise SourceUnreadable(f"{path}, line {number}: {error}{hint}") from None


def _lines(raw: BinaryIO, path: Path) -> Iterator[bytes]:
    """The lines, each cut off when it is too long."""
    lines: BufferedReader | BinaryIO = raw
    if path.name.endswith(COMPRESSED_SUFFIX):
        stream = zstandard.ZstdDecompressor().stream_reader(
            raw, read_across_frames=True, closefd=False
        )
        lines = BufferedReader(stream, BUFFER_BYTES)
    try:
        while line := lines.readline(LINE_BYTES_MAX + 1):
            yield line
    except zstandard.ZstdError as error:
        raise SourceUnreadable(f"{path} is no zstd file, or it is damaged: {error}") from error


def _item(number: int, line: bytes) -> Item:
    if number == 1:
        return _model(Header, line)
    if line.lstrip(b'{ \t"').startswith(b'end"'):
        return _model(End, line)
    return record_of(line)


def _model(kind: type[M], line: bytes) -> M:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _text(raw: bytes | None) -> Text:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(raw).decode()}
