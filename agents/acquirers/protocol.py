"""What Headgate asks of a bank: one small protocol that every connector implements (00 A16)."""

from __future__ import annotations

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


class Acquirer(Protocol):
    """A connection to a bank.

    `request.attempt_id` is the bank's idempotency key: the same attempt sent twice must charge
    once. Whatever is raised, and an answer later than `acquirer_timeout_ms`, counts as `unknown`:
    the payment is in doubt and the bank is inquired, never charged again blindly.
    Capture, void and refund join this protocol with the commands that need them.
    """

    async def authorize(self, request: AcquirerRequest) -> Answer:
        """Ask the bank to authorise the payment."""

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """Ask the bank what became of the attempt; `not_found` if it never saw it."""
