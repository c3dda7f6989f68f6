"""Capture files of columns (Parquet), for those who look at traffic with other tools."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from headgate.replay.capture_format import End, Header, Item
from headgate.replay.recorded import Recorded, SourceUnreadable

ROWS_MAX = 10_000
"""Records that wait in memory before they are written as one group."""
GROUP_BYTES_MAX = 16 << 20
"""Bytes of values that wait so at most."""
READ_ROWS = 1000
HEADER_NAME = b"headgate.capture"
"""The file's metadata in which the header stands."""
END_NAME = b"headgate.end"


class ParquetMissing(SourceUnreadable):
    """The package that reads and writes Parquet is not installed."""


class ParquetWriter:
    """Writes groups of rows to an open file. Parquet keeps its table of contents at the end: of a
    file whose writer was killed nothing can be read."""

    def __init__(self, raw: BinaryIO, header: Header) -> None:
        self._arrow, parquet = _arrow()
        self._schema = _schema().with_metadata({HEADER_NAME: header.model_dump_json()})
        self._writer = parquet.ParquetWriter(raw, self._schema, compression="zstd")
        self._rows: list[dict[str, object]] = []
        self._bytes = 0

    def write(self, record: Recorded) -> None:
        """Append a record."""
        self._rows.append(
            {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "at_ms": record.at_ms,
                "key": record.key,
                "value": record.value,
                "headers": [{"name": name, "value": value} for name, value in record.headers],
            }
        )
        self._bytes += len(record.value or b"")
        if len(self._rows) >= ROWS_MAX or self._bytes >= GROUP_BYTES_MAX:
            self._flush()

    def close(self, end: End | None) -> None:
        """Write the end, if it came to one, and whatever is still in memory."""
        self._flush()
        if end is not None:
            self._writer.add_key_value_metadata({END_NAME: end.model_dump_json()})
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
        self._rows, self._bytes = [], 0


def items_of(path: Path) -> Iterator[Item]:
    """What a file of columns holds. Raises SourceUnreadable."""
    arrow, parquet = _arrow()
    try:
        with parquet.ParquetFile(path) as file:
            metadata = file.metadata.metadata or {}
            yield _header(path, metadata)
            if not file.schema_arrow.equals(_schema()):
                raise SourceUnreadable(f"{path} has other columns than a capture")
            for batch in file.iter_batches(batch_size=READ_ROWS):
                yield from map(_record, batch.to_pylist())
            if END_NAME in metadata:
                yield End.model_validate_json(metadata[END_NAME])
    except (arrow.ArrowException, ValidationError) as error:
        raise SourceUnreadable(
            f"{path} is no Parquet file, or it is cut or damaged: {error}"
        ) from error


def _header(path: Path, metadata: dict[bytes, bytes]) -> Header:
    if HEADER_NAME not in metadata:
        raise SourceUnreadable(f"{path} is a Parquet file, and no capture")
    return Header.model_validate_json(metadata[HEADER_NAME])


def _record(row: dict[str, Any]) -> Recorded:
    headers = tuple((each["name"], each["value"]) for each in row["headers"])
    return Recorded(**{**row, "headers": headers})


@cache
def _schema() -> Any:
    arrow, _ = _arrow()
    header = arrow.struct([("name", arrow.string()), ("value", arrow.binary())])
    return arrow.schema(
        [
            arrow.field("topic", arrow.string(), nullable=False),
            arrow.field("partition", arrow.int32(), nullable=False),
            arrow.field("offset", arrow.int64(), nullable=False),
            arrow.field("at_ms", arrow.int64(), nullable=False),
            arrow.field("key", arrow.binary()),
            arrow.field("value", arrow.binary()),
            arrow.field("headers", arrow.list_(header), nullable=False),
        ]
    )


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ParquetMissing(
            "Parquet needs pyarrow: install `headgate[parquet]`, or name the file .ndjson.zst"
        ) from error
