"""Turn this process into another program that dies with the one that started it.

Run by path as `python -I -S child.py PARENT SIGNAL USER COMMAND...`: a fresh and single-threaded
interpreter may change its user and ask the kernel for things before it executes the command,
which a fork of a threaded supervisor may not. The process id stays the same. It imports the
standard library only.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    """Take on another user for good, and leave the groups of the old one. Empty: stay."""
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)


def die_with(parent: int, signal: int) -> None:
    """Ask Linux to send `signal` when the parent dies; elsewhere the next `up` cleans up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:  # It died before the kernel was asked.
            sys.exit(1)


def main() -> None:
    """Become the command of the arguments."""
    parent, signal, user, *command = sys.argv[1:]
    become(user)
    die_with(int(parent), int(signal))
    os.execv(command[0], command)  # noqa: S606  the command is a list, no shell sees it


if __name__ == "__main__":
    main()
