"""Fixtures of the unit tests."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from headgate.streams.engine import batch, claims, each
from tests.unit.fakes import Left


@pytest.fixture(autouse=True)
def leaving(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ends of the process raise `Left` instead, and their exit codes are collected here."""
    codes: list[int] = []

    def leave(code: int) -> NoReturn:
        codes.append(code)
        raise Left(code)

    for module in (claims, batch, each):
        monkeypatch.setattr(module, "leave", leave)
    return codes


@pytest.fixture
async def public_is_local(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Connections to public addresses go to this machine instead; which ones is recorded."""
    loop = asyncio.get_running_loop()
    connect, addresses = loop.create_connection, list[str]()

    async def create_connection(factory: object, host: str, port: int, **rest: object) -> object:
        addresses.append(host)
        return await connect(factory, "127.0.0.1", port, **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(loop, "create_connection", create_connection)
    return addresses
