"""How the browser tests come to a Chromium, on machines that are not this one."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.conftest import Files

ROOT = Path(__file__).parents[2]


def machine(monkeypatch: pytest.MonkeyPatch, *, root: bool, apt: bool, system: str) -> None:
    """Stand in for a machine of another kind."""
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if apt else None)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": system})


def programs() -> list[str]:
    return [" ".join(way).removeprefix(f"{sys.executable} -m ") for way in chromium.ways()]


def test_root_on_debian_takes_debians_and_playwrights_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, root=True, apt=True, system="debian")
    install, update, again, last = programs()
    assert install == again
    assert install.startswith("apt-get -qq")
    assert install.endswith("install -y --no-install-recommends chromium")
    assert update.endswith("update")
    assert last == "playwright install chromium"


@pytest.mark.parametrize(("root", "apt"), [(False, True), (True, False), (False, False)])
def test_who_may_not_install_packages_takes_playwrights(
    monkeypatch: pytest.MonkeyPatch, root: bool, apt: bool
) -> None:
    machine(monkeypatch, root=root, apt=apt, system="debian")
    assert programs() == ["playwright install chromium"]


def test_root_on_ubuntu_takes_playwrights_with_its_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, root=True, apt=True, system="ubuntu")
    assert programs() == ["playwright install --with-deps chromium"]


def test_the_way_that_works_is_the_last_one_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def run(command: list[str], wait_s: float) -> str | None:
        assert 0 < wait_s <= chromium.INSTALL_WAIT_S
        tried.append(command[0])
        return "no network" if command[0] == "bad" else None

    monkeypatch.setattr(chromium, "ways", lambda: [["bad"], ["good"], ["never"]])
    monkeypatch.setattr(chromium, "find", lambda: "/c" if "good" in tried else None)
    monkeypatch.setattr(chromium, "_run", run)
    assert chromium.obtain() == "/c"
    assert tried == ["bad", "good"]


def test_one_that_is_here_already_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "ways", lambda: [["never"]])
    monkeypatch.setattr(chromium, "find", lambda: "/c")
    assert chromium.obtain() == "/c"


def test_when_nothing_works_it_says_what_to_do_and_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fails = tmp_path / "fails"
    fails.write_text("#!/bin/sh\necho first >&2\necho no network >&2\nexit 3\n")
    fails.chmod(0o755)
    monkeypatch.setattr(chromium, "ways", lambda: [[str(fails)], [str(tmp_path / "absent")]])
    monkeypatch.setattr(chromium, "find", lambda: None)
    assert chromium.obtain() is None
    told = capsys.readouterr().err
    assert chromium.MISSING in told
    assert f"{fails}: no network" in told
    assert "No such file" in told


def test_one_whose_libraries_are_missing_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(broken))
    monkeypatch.setattr(chromium, "_playwrights", lambda: str(tmp_path / "absent"))
    assert chromium.find() is None


def test_make_test_runs_them_as_one_unit_each_other_file_as_its_own() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "test: lint .headgate/browser " in makefile
    assert '-m "not faults" -n $(TEST_PROCESSES) --dist loadfile' in makefile
    tests = ["browser/test_now.py::test_a", "browser/test_pay.py::test_b[x]"]
    tests += ["unit/test_a.py::test_c", "unit/test_b.py::test_d"]
    scopes = [Files.scope(f"tests/{test}") for test in tests]
    assert scopes == ["tests/browser/"] * 2 + ["tests/unit/test_a.py", "tests/unit/test_b.py"]
