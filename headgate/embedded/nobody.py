"""Running PostgreSQL on behalf of root, which it refuses to serve (08 R36).

It runs as the user `nobody`. Where that user cannot walk to our folders (a home of mode 0700,
say), data and binaries go below /var/lib/headgate instead; the modes of folders that we did not
create stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
from contextlib import suppress
from pathlib import Path

from headgate.embedded import process
from headgate.embedded.errors import CannotStart

ELSEWHERE = Path("/var/lib/headgate")
USER = "nobody"


def user() -> str:
    """The user that PostgreSQL runs as: ourselves (empty), or `nobody` when we are root."""
    return "" if os.geteuid() else USER


def elsewhere(state_dir: Path) -> Path:
    """The folder below /var/lib that belongs to this state folder."""
    return ELSEWHERE / hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]


def own_folder(path: Path) -> Path:
    """A folder of ours for PostgreSQL's data: its parents stay untouched, it is PostgreSQL's."""
    path.mkdir(exist_ok=True)
    give(path)
    return path


def give(path: Path) -> None:
    """Let PostgreSQL own a file or folder of ours."""
    if user():
        entry = pwd.getpwnam(USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


async def reaches(folder: Path, log: Path) -> bool:
    """Whether `nobody` can walk to a folder. Tried, not derived from modes."""
    return await _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", folder], log)


async def executes(binary: Path, log: Path) -> bool:
    """Whether `nobody` can run a binary with its libraries."""
    return await _succeeds([binary, "--version"], log)


async def _succeeds(command: list[str | Path], log: Path) -> bool:
    try:
        await process.run(command, log, user=user())
    except CannotStart:
        return False
    return True


def made_elsewhere(state_dir: Path) -> Path:
    """The folder below /var/lib, created if need be, with modes that let `nobody` walk in."""
    path = elsewhere(state_dir)
    for folder in (ELSEWHERE, path):
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o755)
    return path


def copied(installation: Path, state_dir: Path) -> Path:
    """A copy of the wheel's PostgreSQL that `nobody` can run; made again when the wheel changes."""
    target = made_elsewhere(state_dir) / installation.name
    origin = f"{installation} {installation.stat().st_mtime_ns}"
    marker = target / "copied-from"
    if not marker.exists() or marker.read_text() != origin:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(installation, target, symlinks=True)
        for folder, _, names in os.walk(target):
            Path(folder).chmod(0o755)
            for name in names:
                _let_read(Path(folder, name))
        marker.write_text(origin)
    return target


def _let_read(file: Path) -> None:
    """Everybody may do with a copied file what its owner may, except write it."""
    if not file.is_symlink():
        file.chmod(0o755 if os.access(file, os.X_OK) else 0o644)


def forget(state_dir: Path) -> None:
    """Delete what was put below /var/lib for this state folder."""
    shutil.rmtree(elsewhere(state_dir), ignore_errors=True)
    with suppress(OSError):  # It is not there, or another state folder's data still is.
        ELSEWHERE.rmdir()
