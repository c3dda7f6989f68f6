"""What every capture file holds: a header, records, and an end by which a cut file is noticed."""

from __future__ import annotations

from typing import BinaryIO, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from headgate.replay.recorded import Recorded


class Header(BaseModel):
    """What a capture is of. It is the first line of a file of lines."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    capture: Literal[1] = 1
    """The version of this form."""
    headgate: str
    """The version of Headgate that wrote it."""
    namespace: str
    """Where it was taken; the topics' names are without its prefix."""
    partitions: int = Field(ge=1)
    """Partitions of the topics there."""
    topics: tuple[str, ...]
    began_at: str
    """When the capture began (ISO 8601)."""


class End(BaseModel):
    """The last thing in a file that is whole."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    end: Literal[True] = True
    records: int = Field(ge=0)
    cut_by_user: bool = Field(default=False, exclude_if=lambda cut: not cut)
    """Whether somebody ended the capture (Ctrl-C) before all that was asked for was in it."""


Item = Header | Recorded | End


class Writer(Protocol):
    """Writes one form of file. What is written before a failure can be read with `--partial`."""

    def write(self, record: Recorded) -> None:
        """Append a record."""

    def close(self, end: End | None) -> None:
        """Write the end, if it came to one, and whatever is still in memory."""


class Form(Protocol):
    """Makes writers of one form."""

    def __call__(self, raw: BinaryIO, header: Header) -> Writer:
        """A writer to an open file, which the caller closes."""
