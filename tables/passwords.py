"""Passwords: hashed with argon2id, compared at the same cost whoever asks, a few at a time."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from headgate.streams.errors import HeadgateError

TIME_COST = 3
MEMORY_KIB = 65_536
"""With the passes above, the second choice of RFC 9106 (§4), for machines that do other work."""
LANES = 1
"""Threads of one hash. More are only faster for who has idle cores: those who guess."""
AT_ONCE_MAX = 2
"""Hashes that one process computes at a time: 64 MiB and a core each."""
WAITING_MAX = 32
"""Those that wait for their turn; others are turned away."""
CHARACTERS_MIN = 12
CHARACTERS_MAX = 256
DRAWN_BYTES = 15

Answer = TypeVar("Answer")


class PasswordRefused(HeadgateError):
    """A new password that is too short or too long."""


class PasswordsBusy(HeadgateError):
    """So many passwords are being checked that one more would wait too long; try again."""


class Passwords:
    """Hashes passwords beside the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(TIME_COST, MEMORY_KIB, LANES)
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self._asked = 0

    @cached_property
    def _decoy(self) -> str:
        """What is compared for who does not exist."""
        return self._hasher.hash(draw_password())

    async def hashed(self, password: str) -> str:
        """What is stored of a new password. Raises PasswordRefused, PasswordsBusy."""
        check_new(password)
        return await self._beside(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether this is the password. None, for somebody who does not exist, costs the same time
        and never matches. Raises PasswordsBusy."""
        return await self._beside(lambda: self._compare(_normal(password), stored))

    def _compare(self, password: str, stored: str | None) -> bool:
        decoy = self._decoy  # Drawn for whoever comes first, so that its time tells nothing.
        try:
            self._hasher.verify(stored or decoy, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _beside(self, work: Callable[[], Answer]) -> Answer:
        if self._asked >= AT_ONCE_MAX + WAITING_MAX:
            raise PasswordsBusy("Many people sign in at the moment; try again in a few seconds.")
        self._asked += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._asked -= 1


def check_new(password: str) -> None:
    """Length is all that is asked of a password (NIST SP 800-63B §3.1.1.2). Raises
    PasswordRefused."""
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise PasswordRefused(
            f"A password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters; this one has "
            f"{len(password)}."
        )


def draw_password() -> str:
    """A random password of 120 bits, for people who did not choose one."""
    return secrets.token_urlsafe(DRAWN_BYTES)


def _normal(password: str) -> str:
    """The same password from any keyboard, which may write one letter in two ways."""
    return unicodedata.normalize("NFKC", password)
