"""Passwords: argon2id, a few at a time, and the same work for who does not exist."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from headgate.tables import passwords
from headgate.tables.passwords import (
    AT_ONCE_MAX,
    CHARACTERS_MAX,
    CHARACTERS_MIN,
    WAITING_MAX,
    PasswordRefused,
    Passwords,
    PasswordsBusy,
    draw_password,
)

RIGHT = "correct horse battery staple"


class Counting:
    """A hasher that counts how many work at once and what it is asked to verify."""

    def __init__(self) -> None:
        self.now, self.most, self.verified = 0, 0, list[str]()
        self._lock = threading.Lock()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def verify(self, stored: str, password: str) -> None:
        """Take until it is allowed to end."""
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.verified.append(stored)
        self.begun.set()
        self.may_end.wait(10)
        with self._lock:
            self.now -= 1


def counting() -> tuple[Passwords, Counting]:
    """Passwords whose hashes end when they are told to."""
    made, hasher = Passwords(), Counting()
    fake: Any = hasher
    made._hasher = fake
    return made, hasher


async def test_a_password_matches_itself_and_nothing_else() -> None:
    known = Passwords()
    stored = await known.hashed(RIGHT)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert await known.matches(RIGHT, stored)
    assert not await known.matches(RIGHT + " ", stored)
    assert not await known.matches(RIGHT, None)
    assert not await known.matches(RIGHT, "no hash at all")


async def test_one_letter_may_be_written_in_two_ways() -> None:
    known = Passwords()
    stored = await known.hashed("l'\u00e9l\u00e8ve apprend")
    assert await known.matches("l'e\u0301le\u0300ve apprend", stored)


async def test_who_does_not_exist_costs_one_comparison_too() -> None:
    known, hasher = counting()
    hasher.may_end.set()
    await known.matches(RIGHT, None)
    await known.matches(RIGHT, "stored")
    assert len(hasher.verified) == 2
    assert hasher.verified[0].startswith("hash of ")


async def test_a_few_are_compared_at_a_time_some_wait_and_the_rest_is_turned_away() -> None:
    known, hasher = counting()
    asked = [
        asyncio.ensure_future(known.matches(RIGHT, "s")) for _ in range(AT_ONCE_MAX + WAITING_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusy):
        await known.matches(RIGHT, "s")
    hasher.may_end.set()
    assert all(await asyncio.gather(*asked))
    assert hasher.most <= AT_ONCE_MAX
    assert await known.matches(RIGHT, "s")


async def test_the_event_loop_goes_on_meanwhile() -> None:
    known, hasher = counting()
    task = asyncio.ensure_future(known.matches(RIGHT, "s"))
    await asyncio.to_thread(hasher.begun.wait, 5)
    assert not task.done()
    hasher.may_end.set()
    assert await task


@pytest.mark.parametrize("length", [0, CHARACTERS_MIN - 1, CHARACTERS_MAX + 1])
async def test_a_new_password_has_a_length(length: int) -> None:
    with pytest.raises(PasswordRefused, match=f"this one has {length}"):
        await Passwords().hashed("x" * length)


def test_a_drawn_password_would_be_taken() -> None:
    drawn = {draw_password() for _ in range(100)}
    assert len(drawn) == 100
    for one in drawn:
        passwords.check_new(one)
