"""What a run has done so far, on disk, so that another process can go on where one died.

`RUN.json` says what the run is; it holds an API secret and is readable by its owner alone.
`RUN.answers` gets a line per step that is done with, a list, and now and then one about tries that
were made again, an object. A line that a kill cut off, or that was still in memory, is a step that
is sent again under the same idempotency key, which changes nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from headgate.embedded.lock import Lock
from headgate.replay.sinks import Outcome
from headgate.replay.steps import Place
from headgate.replay.tally import Tally
from headgate.streams.errors import HeadgateError

FLUSH_EVERY_S = 0.5
"""How often answers go to the disk."""
SKIPPED = -1
"""The status of a step that was not sent, with the reason as its code."""
_OWNER_ONLY = 0o600
_MORE = ("again", "anew", "approximated")
"""What else is kept of an outcome, where there is anything to say."""


class RunUnknown(HeadgateError):
    """There is no run of this name here, or its journal cannot be read."""


class JournalUnwritable(HeadgateError):
    """What was done can no longer be kept, so no more should be done."""


class RunExists(HeadgateError):
    """A new run was to have the name of one that there is."""


class RunBusy(RunExists):
    """Another process carries the run out."""


_held: dict[Path, Lock] = {}
"""Runs of this process, until it ends: a verdict, too, needs the run's receiver for itself."""


class Journal:
    """The journal of one run, open for more."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._answers = folder / f"{run_id}.answers"
        self._run_id = run_id
        self._file: int | None = None
        self._lines: list[bytes] = []
        self._repeated: Counter[int] = Counter()
        self._unwritten = b""
        """What the disk has not taken, to the byte: a line that it took half of is continued."""
        self._done: dict[int, bool] = {}

    @classmethod
    def begin(
        cls, folder: Path, run_id: str, what: Mapping[str, Any], *, again: bool = False
    ) -> Journal:
        """A sitting, of a new run or `again`. `what` is everything that is needed to go on with
        it. Raises RunExists for a new run of a name that is taken, RunBusy and JournalUnwritable.
        """
        path = folder / f"{run_id}.json"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _hold(folder, run_id)
            if not again and path.exists():
                known = f"there is a run {run_id} already: go on with it by --resume {run_id}"
                raise RunExists(known)
            _replace(path, orjson.dumps(dict(what), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise JournalUnwritable(f"{path} cannot be written: {error.strerror}") from error
        return cls(folder, run_id)

    @staticmethod
    def read(folder: Path, run_id: str) -> dict[str, Any]:
        """What the run is, which no other process carries out from now on. Raises RunUnknown, and
        RunBusy when one does already: it must be left its receiver."""
        path = folder / f"{run_id}.json"
        try:
            if path.exists():
                _hold(folder, run_id)
            return dict(orjson.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            known = sorted(found.stem for found in folder.glob("run_*.json"))
            there = f"; there are {', '.join(known[-5:])}" if known else "; there is none at all"
            raise RunUnknown(f"no run {run_id} in {folder} ({error}){there}") from None

    def restore(self, tally: Tally) -> None:
        """Count again what earlier sittings did, and know it from now on."""
        if not self._answers.exists():
            return
        with self._answers.open("rb") as lines:
            for line in lines:
                # A step whose line is torn is sent again, wherever the line is.
                with suppress(orjson.JSONDecodeError):
                    if line.endswith(b"\n"):
                        self._restore(orjson.loads(line), tally)
        self._cut_torn_line()

    def _restore(self, said: list[Any] | dict[str, Any], tally: Tally) -> None:
        if isinstance(said, dict):
            tally.repeated.update({int(status): n for status, n in said["repeated"].items()})
            return
        place, (status, latency_us, code, made, payment_id, *more) = said[:4], said[4:]
        known = hash(tuple(place))
        if known in self._done:
            return
        outcome = Outcome(status, code, made, payment_id, **(more[0] if more else {}))
        self._done[known] = outcome.accepted
        tally.sent += status != SKIPPED
        count(tally, outcome, latency_us)

    def _cut_torn_line(self) -> None:
        """So that the next line begins a line."""
        with self._answers.open("rb+") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)

    def known(self, place: Place) -> bool | None:
        """Whether the step of this place was accepted; None when it is not done with."""
        return self._done.get(hash(tuple(place)))

    def write(self, place: Place, outcome: Outcome, latency_us: int = 0) -> None:
        """Another step is done with."""
        said = [*place, outcome.status, latency_us, outcome.code, outcome.id, outcome.payment_id]
        if more := {name: found for name in _MORE if (found := getattr(outcome, name))}:
            said.append(more)
        self._lines.append(orjson.dumps(said))

    def repeat(self, status: int, times: int = 1) -> None:
        """So many tries, of steps that are not done with, have to be made again."""
        self._repeated[status] += times

    def flush(self) -> None:
        """Have the system keep what was written, through the death of this process. Raises
        JournalUnwritable; the next flush then goes on at the same byte."""
        if self._repeated:
            said = {str(status): times for status, times in self._repeated.items()}
            self._lines.append(orjson.dumps({"repeated": said}))
            self._repeated.clear()
        self._unwritten += b"".join(line + b"\n" for line in self._lines)
        self._lines.clear()
        try:
            while self._unwritten:
                self._file = _appending(self._answers) if self._file is None else self._file
                self._unwritten = self._unwritten[os.write(self._file, self._unwritten) :]
        except OSError as error:
            raise JournalUnwritable(
                f"{self._answers} cannot be written ({error.strerror}), so the run was stopped."
                f" Make it writable, then go on with: headgate replay --resume {self._run_id}"
            ) from error

    def close(self) -> None:
        """Flush, and close the file. Raises JournalUnwritable."""
        try:
            self.flush()
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def count(tally: Tally, outcome: Outcome, latency_us: int) -> None:
    """Count a step that is done with, now or in an earlier sitting."""
    if outcome.status == SKIPPED:
        tally.skipped[outcome.code] += 1
        return
    tally.answered[outcome.status] += 1
    tally.took(latency_us)
    if outcome.again:
        tally.given_up[outcome.status] += 1
        if outcome.id:
            tally.unanswered.add(outcome.id)
    if outcome.approximated:
        tally.approximated[outcome.approximated] += 1
    if not outcome.accepted:
        tally.refused[outcome.code] += 1
        if outcome.anew:
            tally.refused_anew[outcome.code] += 1
    elif outcome.id == outcome.payment_id:
        tally.accepted.add(outcome.id)
    elif outcome.id:
        tally.children[outcome.id] = outcome.payment_id


def _hold(folder: Path, run_id: str) -> None:
    """Take a run for this process. The kernel frees it however that ends."""
    path = folder / f"{run_id}.lock"
    if path in _held:
        return
    lock = Lock(folder, path.name)
    if lock.taken():
        _held[path] = lock
        return
    with lock:
        raise RunBusy(
            f"the run {run_id} is being carried out by another process; wait until that ends, or"
            " stop it there"
        )


def _replace(path: Path, text: bytes) -> None:
    """Another content, all of it or none."""
    written = path.with_name(f"{path.name}.new")
    written.touch(mode=_OWNER_ONLY)
    written.write_bytes(text)
    written.replace(path)


def _appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OWNER_ONLY)
