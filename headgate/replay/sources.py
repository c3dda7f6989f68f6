"""Opens what a command line names: the log, or a capture file."""

from __future__ import annotations

from pathlib import Path

from headgate.replay.capture_file import FORMS, suffix_of
from headgate.replay.file_source import FileSource
from headgate.replay.log_source import LogSource
from headgate.replay.recorded import SourceUnreadable
from headgate.replay.selection import Selection
from headgate.streams.settings import Settings

LOG = "log"
"""The word for the log of the settings' namespace."""


def opened(
    source: str, selection: Selection, settings: Settings, *, partial: bool = False
) -> FileSource | LogSource:
    """The source with this name. Nothing is read yet. Raises SourceUnreadable for a name that is
    neither `log` nor a capture's, and for a file that is not there."""
    if source == LOG:
        return LogSource(settings, selection)
    if suffix_of(source) is None:
        raise SourceUnreadable(
            f"{source} is no source: say `{LOG}`, or name a file that ends in {', '.join(FORMS)}"
        )
    if not Path(source).is_file():
        raise SourceUnreadable(f"there is no file {source}")
    return FileSource(Path(source), selection, partial=partial)
