"""From recorded commands to steps: what a replay sends, in the order and at the times of old."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple

from headgate.replay.outlook import Outlook, command_of, is_step
from headgate.replay.recorded import Recorded, Source
from headgate.streams.commands import AcquirerAnswer, ClientCommand, CreatePayment
from headgate.streams.topics import PAYMENT_COMMANDS


class Place(NamedTuple):
    """Where a step was recorded, by which it is known for ever."""

    turn: int
    """Which time the source is gone through; 0 is the first."""
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Step:
    """One command that an edge once sent."""

    place: Place
    at_ms: int
    """When it was sent then."""
    recorded: ClientCommand
    scenario: str | None = None
    """Of a create: what the bank is to play; None for a plain approval."""
    children: int = 0
    """Of a create: how many steps about this payment follow."""
    after_bank: bool = False
    """Of others: whether the bank had said something since the step before it, so that it made
    sense then only because of that."""

    @property
    def payment(self) -> str:
        """The recorded payment, whose steps stay in order."""
        return self.recorded.payment_id

    @property
    def creates(self) -> bool:
        """Whether this makes the payment."""
        return isinstance(self.recorded, CreatePayment)


@dataclass(slots=True)
class Steps:
    """Every step of a source. Gone through again it gives the same ones."""

    source: Source
    outlook: Outlook
    turn: int = 0
    _heard: dict[str, bool] = field(default_factory=dict)
    """Payments with children to come, and whether their bank said something lately."""

    async def __aiter__(self) -> AsyncGenerator[Step, None]:
        """The steps in their order. Raises what the source's `records` does."""
        async with aclosing(self.source.records()) as records:
            async for record in records:
                step = self._step_of(record) if record.topic == PAYMENT_COMMANDS.name else None
                if step is not None:
                    yield step

    def _step_of(self, record: Recorded) -> Step | None:
        command = command_of(record)
        if isinstance(command, AcquirerAnswer):
            if command.payment_id in self._heard:
                self._heard[command.payment_id] = True
        elif isinstance(command, ClientCommand) and is_step(command):
            place = Place(self.turn, record.topic, record.partition, record.offset)
            return self._step(place, record.at_ms, command)
        return None

    def _step(self, place: Place, at_ms: int, command: ClientCommand) -> Step:
        children = self.outlook.children.get(command.payment_id, 0)
        heard = self._heard.get(command.payment_id, False)
        if children:
            self._heard[command.payment_id] = False
        if not isinstance(command, CreatePayment):
            return Step(place, at_ms, command, after_bank=heard)
        return Step(place, at_ms, command, self.outlook.scenario_of(command), children)
