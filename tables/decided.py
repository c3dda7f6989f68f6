"""A command that was decided, and what it led to."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.streams.commands import ClientCommand, Command
from headgate.tables.results import refusal_result
from headgate.tables.story import Decision


@dataclass(frozen=True, slots=True)
class Decided:
    """One command, where it stood in the log, and what it led to."""

    command: Command
    partition: int
    offset: int
    at_ms: int
    base_version: int
    """The payment's version before this command."""
    decision: Decision
    fact_bytes: tuple[bytes, ...]

    @property
    def fingerprint(self) -> str | None:
        """What the client asked, hashed; other commands have none."""
        return self.command.fingerprint if isinstance(self.command, ClientCommand) else None

    @property
    def request_id(self) -> str | None:
        """The request that asked; other commands have none."""
        return self.command.request_id if isinstance(self.command, ClientCommand) else None

    @property
    def refusal(self) -> str | None:
        """The code of why it changed nothing."""
        return self.decision.refusal and self.decision.refusal.code

    @property
    def result(self) -> bytes | None:
        """What the edge answers about it; None where no client asks, and for creates."""
        refusal = self.decision.refusal
        return refusal_result(refusal, self.command) if refusal else self.decision.result
