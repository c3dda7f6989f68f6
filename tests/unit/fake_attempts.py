"""The table of attempts at the bank, in memory and with the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headgate.streams.commands import AcquirerAnswer, AcquirerRequest
from headgate.tables.acquirer_attempts import AcquirerAttempts, Known
from headgate.tables.postgres import RowRefused


class FakeAttempts(AcquirerAttempts):
    """The table of attempts, in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], AcquirerAnswer | None] = {}
        self.failures: list[Exception] = []
        self.poison: set[str] = set()
        self.unkept: set[str] = set()
        """Payments whose answers the store refuses."""
        self.batches: list[int] = []

    async def sent(self, requests: Sequence[AcquirerRequest]) -> list[Known]:
        """Note the attempts, or fail: with the whole batch, as one statement does."""
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        if any(request.payment_id in self.poison for request in requests):
            raise RowRefused("PostgreSQL refuses a row: CharacterNotInRepertoireError (22021)")
        self.batches.append(len(requests))
        known = []
        for request in requests:
            key = (request.attempt_id, request.look)
            known.append(Known(key not in self.rows, self.rows.get(key)))
            self.rows.setdefault(key, None)
        return known

    async def answered(self, answers: Sequence[AcquirerAnswer]) -> list[AcquirerAnswer]:
        """Keep the first answer of each attempt."""
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        if any(answer.payment_id in self.unkept for answer in answers):
            raise RowRefused("PostgreSQL refuses a row: UntranslatableCharacterError (22P05)")
        kept = []
        for answer in answers:
            key = (answer.attempt_id, answer.look)
            known = self.rows[key] or answer
            self.rows[key] = known
            kept.append(known)
        return kept
