"""What PostgreSQL's errors mean, and limits that the server keeps too."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres, RowRefused, _translated


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("twice"),
        asyncpg.CharacterNotInRepertoireError("NUL"),
        asyncpg.ProgramLimitExceededError("index row size 2800 exceeds maximum 2704"),
        asyncpg.StatementTooComplexError("stack depth limit exceeded"),
    ],
)
def test_a_row_that_can_never_be_stored_is_refused(error: asyncpg.PostgresError) -> None:
    """08 R6: an id that is too long for an index is no reason to wait for PostgreSQL."""
    assert isinstance(_translated(error), RowRefused)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
        asyncpg.IdleInTransactionSessionTimeoutError("idle"),
        asyncpg.DiskFullError("full"),
        OSError("reset"),
    ],
)
def test_what_may_pass_is_tried_again(error: BaseException) -> None:
    assert isinstance(_translated(error), StoreUnavailable)


async def test_the_server_ends_an_abandoned_statement_before_we_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A statement that lives on after its client has gone keeps the claim's row locked."""
    asked: dict[str, Any] = {}

    async def create_pool(_url: str, **options: Any) -> None:
        asked.update(options)

    monkeypatch.setattr(asyncpg, "create_pool", create_pool)
    await Postgres(Settings(postgres_timeout_ms=1000))._opened()
    assert asked["command_timeout"] == 1.0
    assert asked["server_settings"]["statement_timeout"] == "900"
    assert asked["server_settings"]["idle_in_transaction_session_timeout"] == "900"
    assert asked["server_settings"]["search_path"] == "headgate"
