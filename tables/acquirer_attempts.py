"""Attempts at the acquirer, written before and after each call (03 §8.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.streams.commands import COMMAND, AcquirerAnswer, AcquirerRequest
from headgate.tables.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of an attempt: whether this process is the first to send it, and the
    answer that it had."""

    fresh: bool
    answer: AcquirerAnswer | None


class AcquirerAttempts:
    """The guard against a blind second charge. Methods raise StoreUnavailable."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def sent(self, requests: Sequence[AcquirerRequest]) -> list[Known]:
        """Note that the requests are about to be sent; in their order what was known of each."""
        keys = {(request.attempt_id, request.look): request for request in requests}
        rows = await self._postgres.fetch(
            "attempts_sent",
            [attempt for attempt, _ in keys],
            [look for _, look in keys],
            [request.payment_id for request in keys.values()],
        )
        known = {
            (row["attempt_id"], row["look"]): Known(row["fresh"], _answer(row["answer"]))
            for row in rows
        }
        return [known[request.attempt_id, request.look] for request in requests]

    async def answered(self, answers: Sequence[AcquirerAnswer]) -> list[AcquirerAnswer]:
        """Keep the first answer of each attempt; in their order the ones that are kept, which
        alone may be told: two answers to one attempt would share a command's id."""
        first: dict[tuple[str, int], AcquirerAnswer] = {}
        for answer in answers:
            first.setdefault((answer.attempt_id, answer.look), answer)
        rows = await self._postgres.fetch(
            "attempts_answered",
            [attempt for attempt, _ in first],
            [look for _, look in first],
            [answer.model_dump_json() for answer in first.values()],
        )
        kept = {(row["attempt_id"], row["look"]): _answer(row["answer"]) for row in rows}
        return [
            kept.get((answer.attempt_id, answer.look)) or first[answer.attempt_id, answer.look]
            for answer in answers
        ]


def _answer(text: str | None) -> AcquirerAnswer | None:
    if text is None:
        return None
    command = COMMAND.validate_json(text)
    assert isinstance(command, AcquirerAnswer)  # noqa: S101  only answers are ever stored here
    return command
