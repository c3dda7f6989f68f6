"""What Headgate asks of a bank: one small protocol that every connector implements (00 A16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate.streams.commands import AcquirerRequest, Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bank said. `after_ms` says that it is to count only then: waiting for a bank is
    state on the log, never a held worker."""

    outcome: Outcome
    reference: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    after_ms: int = 0
    amount: int | None = None
    """How much was approved, in minor units; None: all that was asked for. Only an authorisation
    may be approved in part."""


@dataclass(frozen=True, slots=True)
class Callback:
    """What the bank says of its own accord, `after_ms` behind the call."""

    answer: Answer
    after_ms: int


class Acquirer(Protocol):
    """A connection to a bank.

    `request.attempt_id` is the bank's idempotency key: the same attempt sent twice must move money
    once. `request.payment_attempt_id` and `request.reference` name the approval that a call is
    about, `request.ordinal` which capture, void or refund of the payment it is.

    Whatever is raised, an answer that makes no sense and one later than `acquirer_timeout_ms` count
    as `unknown`: the bank is inquired, never asked blindly again. A connector need not retry, and
    must not.
    """

    async def authorize(self, request: AcquirerRequest) -> Answer:
        """Hold the money, or take it where the payment is captured with its approval. `challenged`
        asks the customer first; `request.authenticated` says that they have passed."""

    async def capture(self, request: AcquirerRequest) -> Answer:
        """Take held money; behind a `request.final` one the rest is released."""

    async def void(self, request: AcquirerRequest) -> Answer:
        """Let go of held money."""

    async def refund(self, request: AcquirerRequest) -> Answer:
        """Give captured money back."""

    async def reverse(self, request: AcquirerRequest) -> Answer:
        """Undo the approval, as if it had never been given."""

    async def increment(self, request: AcquirerRequest) -> Answer:
        """Hold more."""

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """What became of the attempt, a call of the kind `request.about`; `not_found` if the bank
        never saw it. `request.look` counts the questions; 0 is asked before a call is repeated."""

    def callbacks(self, request: AcquirerRequest, answer: Answer) -> Sequence[Callback]:
        """What the bank will say unasked after it gave this answer. Pure: a request that comes
        again after a crash must tell the same. Connectors to real banks, whose callbacks arrive
        by HTTP, return nothing here."""
