"""Fixtures of the unit tests."""

from __future__ import annotations

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
