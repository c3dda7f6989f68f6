"""What the supervisor runs, in a file that `headgate status` and the next `up` read."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from datetime import datetime
from os import getpid
from pathlib import Path

from pydantic import BaseModel, ValidationError

from headgate.embedded import process
from headgate.embedded.addresses import write_private
from headgate.embedded.keeper import Keeper

LEFTOVER_WAIT_S = 2.0
"""How long the kernel may take to clear away a killed process and its port."""


class ProcessStatus(BaseModel):
    """One process that the supervisor keeps running."""

    role: str
    pid: int | None
    born: str
    port: int | None
    instance_id: str
    since: datetime | None
    restarts: int
    state: str


class Status(BaseModel):
    """The supervisor and everything it runs, at the moment of the last change."""

    pid: int
    born: str
    since: datetime
    phase: str
    addresses: dict[str, str]
    processes: list[ProcessStatus]

    @classmethod
    def of(
        cls, phase: str, since: datetime, addresses: Mapping[str, str], keepers: Sequence[Keeper]
    ) -> Status:
        """The status of this very process as the supervisor."""
        return cls(
            pid=getpid(),
            born=process.born(getpid()),
            since=since,
            phase=phase,
            addresses=dict(addresses),
            processes=[_of(keeper) for keeper in keepers],
        )

    def is_up(self) -> bool:
        """Whether the supervisor still runs."""
        return process.alive(self.pid, self.born)


def _of(keeper: Keeper) -> ProcessStatus:
    return ProcessStatus(
        role=keeper.program.role,
        pid=keeper.pid,
        born=keeper.born,
        port=keeper.program.port,
        instance_id=keeper.program.instance_id,
        since=keeper.since,
        restarts=keeper.restarts,
        state=keeper.state,
    )


def _path(state_dir: Path) -> Path:
    return state_dir / "status.json"


def write(state_dir: Path, status: Status) -> None:
    """Replace the status in one step."""
    write_private(_path(state_dir), status.model_dump_json(indent=2))


def read(state_dir: Path) -> Status | None:
    """The last status, also of a supervisor that is gone; None when there is none."""
    try:
        return Status.model_validate_json(_path(state_dir).read_text())
    except (FileNotFoundError, ValidationError):
        return None


def remove(state_dir: Path) -> None:
    """Nothing runs any more."""
    _path(state_dir).unlink(missing_ok=True)


def end_leftovers(state_dir: Path) -> list[str]:
    """Kill what a killed supervisor left behind, and answer the roles.

    The caller holds the lock of the state folder, so no supervisor runs.
    """
    left = read(state_dir)
    ended = []
    for each in left.processes if left is not None else []:
        if each.pid is not None and process.alive(each.pid, each.born):
            process.send(each.pid, signal.SIGKILL)
            process.gone(each.pid, each.born, LEFTOVER_WAIT_S)
            ended.append(each.role)
    return ended
