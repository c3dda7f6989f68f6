"""The house: five folders without `__init__.py`, one package of links, layers that hold (05 §2)."""

from __future__ import annotations

import http
import importlib
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("streams", "tables", "agents", "http", "dashboard")


def test_only_the_import_package_has_an_init_file() -> None:
    """With `http/__init__.py` the standard library's http is gone, for some programs only."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == {"headgate"}


def test_no_folder_below_the_five_has_an_init_file_either() -> None:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")]
    assert found == []


def test_http_is_the_standard_librarys() -> None:
    assert http.__file__ is not None
    assert Path(http.__file__).is_relative_to(sysconfig.get_path("stdlib"))


@pytest.mark.parametrize("how", [["-c"], ["-P", "-c"]])
def test_http_is_the_standard_librarys_from_the_root_of_the_house_too(how: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, *how, "import http.client; print(http.client.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert Path(told.stdout.strip()).is_relative_to(sysconfig.get_path("stdlib"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_a_relative_link_in_the_package(folder: str) -> None:
    link = ROOT / "headgate" / folder
    assert link.resolve() == ROOT / folder
    if link.is_symlink():  # a copy that follows links is fine, one that breaks them is not
        assert link.readlink() == Path("..") / folder


def test_the_package_holds_nothing_but_links_entry_point_cli_embedded_and_replay() -> None:
    own = {path.name for path in (ROOT / "headgate").iterdir()} - {"__pycache__"}
    assert own == {
        *FOLDERS,
        "__init__.py",
        "__main__.py",
        "py.typed",
        "cli",
        "embedded",
        "replay",
    }


def test_the_package_is_imported_from_this_house() -> None:
    headgate = importlib.import_module("headgate")
    assert headgate.__file__ is not None
    assert Path(headgate.__file__).parent == ROOT / "headgate"
