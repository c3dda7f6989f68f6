"""`headgate up` as a stranger runs it: start, status, kills, a second one, Ctrl-C, nothing left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.embedded import nobody, ports, process
from headgate.embedded.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

START_S = 180.0
"""A busy machine starts slowly; on an idle one it takes 5 s."""
STOP_S = 15.0
ROLES = ("kafka", "redis", "postgres", "settle", "acquire", "notify", "edge")
HEADERS = {
    "X-Api-Key": "key_test_abc123",
    "X-Api-Secret": "secret_test_xyz789",
    "Content-Type": "application/json",
}
BODY = b'{"amount":50000,"currency":"INR","method":"upi","vpa":"user@paytm","order_id":"order-1"}'


class Up:
    """`headgate up` in a folder of its own, on a free port."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = next(ports.free())
        self.environment = (
            os.environ
            | (environment or {})
            | {"HEADGATE_STATE_DIR": str(folder), "HEADGATE_HTTP_PORT": str(self.port)}
        )
        self.log = folder / "up.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it in a session of its own until it says that it is up."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "headgate", "up"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait(lambda: "Headgate is up" in self.log.read_text() or self.has_ended(), START_S)
        assert not self.has_ended(), self.log.read_text()

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> float:
        """Ctrl-C; how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0
        return time.monotonic() - began

    def verb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another terminal."""
        command = [sys.executable, "-m", "headgate", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )

    def status(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.verb("status", "--json").stdout)
        return read

    def processes(self) -> dict[str, dict[str, Any]]:
        return {each["role"]: each for each in self.status()["processes"]}

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """One request of the demo merchant."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, HEADERS, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            read: dict[str, Any] = json.loads(answer.read())
        return read

    def final(self, payment_id: str) -> bool:
        return bool(self.ask("GET", f"/api/v1/payments/{payment_id}")["status"] == "success")


def wait(true: Callable[[], bool], at_most_s: float) -> None:
    end = time.monotonic() + at_most_s
    while not true():
        assert time.monotonic() < end, f"not within {at_most_s:g} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    folder = Path(tempfile.mkdtemp(prefix="headgate-up-"))
    folder.chmod(0o711)
    running = Up(folder)
    try:
        running.start()
        yield running
    finally:
        if not running.has_ended():
            running.stop()
        running.verb("reset", "--yes")
        nobody.forget(folder)
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def test_the_first_payment_goes_all_the_way_through(up: Up) -> None:
    created = up.ask("POST", "/api/v1/payments", BODY)
    assert created["status"] == "pending"
    wait(lambda: up.final(created["id"]), 10)


def test_it_ends_with_lines_to_paste(up: Up) -> None:
    told = up.log.read_text()
    assert f"curl -s http://127.0.0.1:{up.port}/api/v1/payments -H 'X-Api-Key:" in told
    assert BODY.decode() in told
    assert "listen --subscribe" in told


def test_the_demo_operator_and_their_password_are_told_once(up: Up) -> None:
    told = up.log.read_text()
    assert f"sign in at http://127.0.0.1:{up.port}/dashboard as operator@example.com" in told
    assert len(re.findall(r"with the password [\w-]{20} \(shown once\)", told)) == 1
    listed = up.verb("operator", "list")
    assert re.search(r"opr_\w+ +active +operator@example.com +Demo operator", listed.stdout)


def test_status_lists_every_process_and_address(up: Up) -> None:
    wait(lambda: {each["health"] for each in up.processes().values()} == {"ok"}, 30)
    status = up.status()
    assert status["up"] is True
    assert [each["role"] for each in status["processes"]] == list(ROLES)
    assert status["addresses"]["edge"] == f"http://127.0.0.1:{up.port}"
    assert status["addresses"]["redis"].startswith("redis://")
    assert status["addresses"]["postgres"].startswith("postgresql://")
    assert up.processes()["settle"]["instance_id"] == "headgate/settle/0"
    assert all(process.born(each["pid"]) for each in status["processes"])
    assert "headgate/notify/0" in up.verb("status").stdout


def test_the_doctor_finds_nothing(up: Up) -> None:
    examined = up.verb("doctor")
    assert examined.returncode == 0, examined.stdout
    assert "WRONG" not in examined.stdout


def test_a_second_up_says_that_the_first_runs(up: Up) -> None:
    second = up.verb("up")
    assert second.returncode == 0
    assert "runs already" in second.stdout
    assert f"pid {up.status()['pid']}" in second.stdout
    refused = up.verb("reset", "--yes")
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr


def test_whatever_is_killed_comes_back_and_is_counted(up: Up) -> None:
    before = up.processes()
    for role in ROLES:
        os.kill(before[role]["pid"], signal.SIGKILL)
    wait(lambda: all(each["pid"] for each in up.processes().values()), START_S)
    wait(lambda: {each["health"] for each in up.processes().values()} == {"ok"}, START_S)
    after = up.processes()
    for role in ROLES:
        assert after[role]["restarts"] > before[role]["restarts"], role
        assert after[role]["port"] == before[role]["port"], role
    assert "Kafka: works again after" in up.log.read_text()
    wait(lambda: works(up), START_S)


def works(up: Up) -> bool:
    try:
        created = up.ask("POST", "/api/v1/payments", BODY)
        wait(lambda: up.final(created["id"]), 10)
    except (OSError, AssertionError):
        return False
    return True


def test_ctrl_c_stops_all_of_it_and_the_next_up_finds_the_data(up: Up) -> None:
    created = up.ask("POST", "/api/v1/payments", BODY)
    wait(lambda: up.final(created["id"]), 10)
    running = [(each["pid"], process.born(each["pid"])) for each in up.processes().values()]
    assert up.stop() < STOP_S
    assert not any(process.alive(*each) for each in running)
    assert up.status()["up"] is False
    up.start()
    assert up.final(created["id"])
    assert "with the password" not in up.log.read_text()


def test_a_killed_up_leaves_nothing_and_the_next_one_starts(up: Up) -> None:
    running = [(each["pid"], process.born(each["pid"])) for each in up.processes().values()]
    assert up.process is not None
    up.process.kill()
    up.process.wait(10)
    assert all(process.gone(*each, at_most_s=10) for each in running)
    up.start()
    assert works(up)


def test_a_taken_port_is_named_with_what_to_do(up: Up) -> None:
    with tempfile.TemporaryDirectory() as folder:
        second = subprocess.run(
            [sys.executable, "-m", "headgate", "up"],
            env=up.environment | {"HEADGATE_STATE_DIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1
    assert f"Port {up.port}, where the edge should listen, is taken by" in second.stdout
    assert "HEADGATE_HTTP_PORT=" in second.stdout


def test_servers_and_a_namespace_of_ones_own_are_used(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    here = Up(tmp_path, stack.environment(namespace) | {"HEADGATE_PARTITIONS": "2"})
    try:
        here.start()
        assert set(here.processes()) == {"settle", "acquire", "notify", "edge"}
        assert here.processes()["settle"]["instance_id"] == f"{namespace}/settle/0"
        assert here.status()["addresses"]["kafka"] == stack.kafka
        assert works(here)
    finally:
        if not here.has_ended():
            here.stop()
    assert not (tmp_path / "postgres").exists()
