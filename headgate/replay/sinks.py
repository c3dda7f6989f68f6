"""Where steps go, and what comes back, whatever the way."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from headgate.replay.steps import Step

ACCEPTED = 202
"""The status that stands for the ack of a log."""
OPEN_STATES = frozenset({"created", "processing", "in_doubt"})
"""States in which a payment waits for its bank."""


class Outcome(NamedTuple):
    """What came back of one try."""

    status: int
    """The HTTP status; 0 when no answer came."""
    code: str = ""
    """Why it was refused."""
    id: str = ""
    """What was made: a payment, a capture, a refund …; of a create without a final answer, the
    payment that it may have made."""
    payment_id: str = ""
    """Whose payment that is; of a payment itself its own id."""
    again: bool = False
    """Whether the same step may succeed when it is sent again."""
    wait_s: float = 0.0
    """How long to wait before that, as the answer says."""
    approximated: str = ""
    """How it was played, where no test value plays what was recorded."""
    anew: bool = False
    """Whether it was refused under its recorded ids, and not by what was decided then: so nothing
    is known of what became of it."""

    @property
    def accepted(self) -> bool:
        """Whether what was asked was taken."""
        return 200 <= self.status < 300  # noqa: PLR2004  a 2xx


class Sink(Protocol):
    """A way to have steps decided. Sending a step twice is harmless."""

    async def send(self, step: Step, shift_ms: int) -> Outcome:
        """Send it once; times in it move by `shift_ms`. Raises NotRepeatable."""
        ...

    async def rests(self, step: Step) -> bool:
        """Whether the step's payment has nothing open at its bank."""
        ...

    def payment_of(self, step: Step) -> str:
        """The id that the step's payment has there."""
        ...

    def plays_doubt(self, step: Step) -> bool:
        """Whether the bank is to give no answer to this create at first."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
