"""What a killed supervisor leaves behind: nothing on Linux, and the next `up` makes sure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.embedded import addresses, environment, ports, process, status
from headgate.embedded.addresses import Addresses
from headgate.embedded.lock import Lock

CHILD = """
import asyncio, sys
from pathlib import Path
from headgate.embedded import process
async def main():
    child = await process.start(["/bin/sleep", "60"], Path(sys.argv[1]))
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""


def left(folder: Path, pid: int, born: str) -> None:
    """A status file of a supervisor that is gone, with one process."""
    each = status.ProcessStatus(
        role="redis", pid=pid, born=born, port=1, instance_id="", since=None, restarts=0, state=""
    )
    gone = status.Status(
        pid=1, born="", since=datetime.now(UTC), phase="running", addresses={}, processes=[each]
    )
    status.write(folder, gone)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of the death")
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path / "log"], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        born = process.born(child)
        parent.kill()
    assert process.gone(child, born, at_most_s=5)


def test_leftovers_are_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as child:
        left(tmp_path, child.pid, process.born(child.pid))
        assert status.end_leftovers(tmp_path) == ["redis"]
        assert child.wait(5) == -signal.SIGKILL


def test_a_stranger_with_a_reused_number_is_spared(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as stranger:
        left(tmp_path, stranger.pid, "born at another time")
        assert status.end_leftovers(tmp_path) == []
        assert stranger.poll() is None
        stranger.kill()


def test_one_supervisor_per_state_folder(tmp_path: Path) -> None:
    with Lock(tmp_path) as first, Lock(tmp_path) as second:
        assert first.taken()
        assert not second.taken()
    with Lock(tmp_path) as third:
        assert third.taken()


def test_addresses_are_drawn_once_and_private(tmp_path: Path) -> None:
    drawn = addresses.remembered(tmp_path)
    assert addresses.remembered(tmp_path) == drawn
    assert (tmp_path / "addresses.json").stat().st_mode & 0o777 == 0o600
    assert (
        len({drawn.kafka_port, drawn.controller_port, drawn.redis_port, drawn.postgres_port}) == 4
    )
    assert all(port in ports.PORTS for port in (drawn.kafka_port, drawn.redis_port))


def test_a_taken_port_is_named_and_another_is_drawn(tmp_path: Path) -> None:
    drawn, told = addresses.remembered(tmp_path), list[str]()
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(drawn.redis_port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as stranger:
        try:
            end = time.monotonic() + 10
            while ports.is_free(drawn.redis_port) and time.monotonic() < end:
                time.sleep(0.02)
            moved = addresses.moved(tmp_path, drawn, told.append)
        finally:
            stranger.kill()
    assert f"(pid {stranger.pid})" in told[0]
    assert moved.redis_port != drawn.redis_port
    assert moved.kafka_port == drawn.kafka_port
    assert moved.password == drawn.password
    assert addresses.known(tmp_path) == moved


def test_what_the_user_sets_wins(tmp_path: Path) -> None:
    drawn: Addresses = addresses.drawn()
    roles = environment.of_roles(tmp_path, drawn, {"HEADGATE_REDIS": "redis://mine", "A": "b"})
    assert roles["HEADGATE_REDIS"] == "redis://mine"
    assert roles["HEADGATE_KAFKA"] == drawn.kafka
    assert roles["TEST_MODE"] == "true"
    assert roles["A"] == "b"
    assert environment.embedded({"HEADGATE_REDIS": "redis://mine"}) == {"kafka", "postgres"}


@pytest.mark.parametrize("name", ["TEST_MODE", "HEADGATE_TEST_MODE"])
def test_both_forms_of_a_seed_name_win(name: str, tmp_path: Path) -> None:
    roles = environment.of_roles(tmp_path, addresses.drawn(), {name: "false"})
    assert roles[name] == "false"
    assert ("TEST_MODE" in roles) == (name == "TEST_MODE")


def test_another_terminal_finds_a_running_up(tmp_path: Path) -> None:
    drawn = addresses.remembered(tmp_path)
    assert environment.of_running(tmp_path, {}) == {}, "nothing runs"
    here = {"kafka": drawn.kafka, "edge": "http://127.0.0.1:1"}
    mine = process.born(os.getpid())
    running = status.Status(
        pid=os.getpid(), born=mine, since=datetime.now(UTC), phase="", addresses=here, processes=[]
    )
    status.write(tmp_path, running)
    found = environment.of_running(tmp_path, {})
    assert found == {"HEADGATE_KAFKA": drawn.kafka, "HEADGATE_SECRET_KEY": drawn.secret_key}
    assert "HEADGATE_KAFKA" not in environment.of_running(tmp_path, {"HEADGATE_KAFKA": "mine"})
