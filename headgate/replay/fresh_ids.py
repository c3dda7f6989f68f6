"""Ids of a replay: new ones that one run always derives alike, or the recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from headgate.streams import ids
from headgate.streams.commands import (
    CancelRefund,
    ClientCommand,
    CreatePayment,
    Mode,
    RefundPayment,
)


class Ids(Protocol):
    """Under which ids what was recorded is sent."""

    def at(self, turn: int) -> Ids:
        """Those of one time that the source is gone through."""
        ...

    def key(self, recorded: ClientCommand) -> str | None:
        """Its idempotency key; None when it has none that could be sent again."""
        ...

    def payment(self, recorded: ClientCommand) -> str:
        """The payment that it makes, or is about."""
        ...

    def refund(self, recorded: CancelRefund) -> str:
        """The refund that is to be canceled."""
        ...


@dataclass(frozen=True, slots=True)
class FreshIds:
    """Derived from the run and the recorded id alone: so a step that is sent twice counts once, a
    run can go on after a crash, and nothing has to be remembered to find a parent's new id."""

    run_id: str
    merchant_id: str
    """Whose payments the new ones are."""
    mode: Mode = "test"
    turn: int = 0
    """Which time the source is gone through, in a soak."""

    def at(self, turn: int) -> FreshIds:
        """New ones each time."""
        return self if turn == self.turn else replace(self, turn=turn)

    def key(self, recorded: ClientCommand) -> str:
        """Another one for each recorded command."""
        return self._key(_cause(recorded))

    def payment(self, recorded: ClientCommand) -> str:
        """The payment that stands for the recorded one."""
        return ids.payment_id(self.merchant_id, self.mode, self._key(recorded.payment_id))

    def refund(self, recorded: CancelRefund) -> str:
        """The refund that stands for the recorded one."""
        asked = ids.command_id(
            self.payment(recorded), "payment.refund", self._key(recorded.refund_id)
        )
        return ids.child_id("refund", asked)

    def command(self, recorded: ClientCommand) -> str:
        """The command's own id, as an edge would derive it."""
        operation = type(recorded).model_fields["type"].default
        return ids.command_id(self.payment(recorded), operation, self.key(recorded))

    def _key(self, cause: str) -> str:
        return ids.load_key(f"{self.run_id}/{self.turn}" if self.turn else self.run_id, cause)


@dataclass(frozen=True, slots=True)
class RecordedIds:
    """The recorded ones: whatever is sent has been decided before."""

    merchant_id: str
    """Whose they are; under another merchant's key they would be new ones."""
    mode: Mode = "test"

    def at(self, turn: int) -> RecordedIds:
        """The same each time."""
        del turn
        return self

    def key(self, recorded: ClientCommand) -> str | None:
        """The client's own key; a drawn one is nowhere to be found."""
        return recorded.idempotency_key

    def payment(self, recorded: ClientCommand) -> str:
        """The recorded payment."""
        return recorded.payment_id

    def refund(self, recorded: CancelRefund) -> str:
        """The recorded refund."""
        return recorded.refund_id


def _cause(recorded: ClientCommand) -> str:
    """What the key is derived from: for what others name later, the id by which they do."""
    if isinstance(recorded, CreatePayment):
        return recorded.payment_id
    if isinstance(recorded, RefundPayment):
        return ids.child_id("refund", recorded.command_id)
    return recorded.command_id
