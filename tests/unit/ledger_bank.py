"""A bank that keeps true books and answers as badly as its seed says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, cast

from headgate.agents.acquirers.protocol import Answer, Callback
from headgate.streams.commands import AcquirerRequest, BankCall

LATE_MS = (1500, 2500, 7000, 60_000)
"""When an authorisation that got stuck is carried out after all."""


class LedgerBank:
    """Does every attempt at most once, and never denies what it did. All else may happen."""

    def __init__(self, seed: int, clock: Callable[[], int]) -> None:
        self._chance = random.Random(seed)  # noqa: S311  a test's dice
        self._clock = clock
        self._done: dict[str, tuple[AcquirerRequest, int, int]] = {}
        """What it did by attempt: the request, the amount, and from when on."""
        self._refused: set[str] = set()
        self._undone: set[str] = set()
        """Attempts that were reversed, also before they were carried out."""
        self.called_again: list[str] = []
        """Attempts that it was told to carry out although it had, and would have said so."""

    def moved(self, kind: BankCall) -> int:
        """The money of all calls of this kind that it carried out and did not undo."""
        return sum(
            amount
            for attempt, (request, amount, from_ms) in self._done.items()
            if request.about == kind and attempt not in self._undone and from_ms <= self._clock()
        )

    async def _call(self, request: AcquirerRequest) -> Answer:
        known = self._done.get(request.attempt_id)
        if known is not None:  # It is the bank's idempotency key: once is enough.
            if known[2] <= self._clock():
                self.called_again.append(request.attempt_id)
            return self._worded(Answer("approved", amount=known[1]))
        mood = self._chance.random()
        if mood < 0.12:
            raise ConnectionResetError("before it was heard")
        if mood < 0.22:
            self._refused.add(request.attempt_id)
            return self._worded(Answer("declined", decline_code="do_not_honor"))
        if request.about == "authorize" and mood < 0.32:
            self._do(request, self._chance.choice(LATE_MS))
            raise TimeoutError("stuck somewhere")
        amount = self._do(request)
        return self._worded(Answer("approved", amount=amount))

    def _do(self, request: AcquirerRequest, after_ms: int = 0) -> int:
        part = request.about == "authorize" and self._chance.random() < 0.1
        amount = request.amount * 3 // 5 if part else request.amount
        self._done[request.attempt_id] = (request, amount, self._clock() + after_ms)
        if request.about == "reversal":
            assert request.payment_attempt_id is not None
            self._undone.add(request.payment_attempt_id)
        return amount

    def _worded(self, answer: Answer) -> Answer:
        """The answer, lost or garbled at times."""
        mood = self._chance.random()
        if mood < 0.15:
            raise ConnectionResetError("after it was done")
        garbage: list[Any] = [None, Answer("aproved"), Answer("approved", amount=10**9)]  # type: ignore[arg-type]
        return cast("Answer", self._chance.choice(garbage)) if mood < 0.25 else answer

    authorize = capture = void = refund = reverse = increment = _call

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """The truth, when it is heard."""
        done = self._done.get(request.attempt_id)
        if done and done[2] <= self._clock():
            return self._worded(Answer("approved", amount=done[1]))
        refused = request.attempt_id in self._refused
        return self._worded(Answer("declined") if refused else Answer("not_found"))

    def callbacks(self, request: AcquirerRequest, answer: Answer) -> Sequence[Callback]:
        """Word of what got stuck, and some words twice."""
        done = self._done.get(request.attempt_id)
        if done is None or request.type == "inquire":
            return ()
        _, amount, from_ms = done
        after_ms = max(0, from_ms - self._clock())
        times = [after_ms, after_ms + 300] if amount % 2 or after_ms else []
        return [Callback(Answer("approved", amount=amount), at) for at in times]
