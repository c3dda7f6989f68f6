"""What has to be known of a source before its first step: how its banks answered, who comes back.

A bank's answer is recorded behind the command whose test value it becomes, so a source is read
twice. Of payments that were approved and left alone nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from headgate.replay.bank_story import BankStory
from headgate.replay.recorded import Recorded, Source
from headgate.streams.commands import (
    COMMAND,
    AcquirerAnswer,
    ClientCommand,
    Command,
    CreatePayment,
    InquirePayment,
    ResolvePayment,
)
from headgate.streams.topics import PAYMENT_COMMANDS


@dataclass(slots=True)
class Outlook:
    """One source, read once."""

    records: int = 0
    """All of them."""
    commands: int = 0
    """Those of the commands topic."""
    steps: int = 0
    """Commands that an edge once sent."""
    unreadable: int = 0
    """Records of the commands topic that are no command of this version."""
    first_at_ms: int = 0
    """When the first record was written."""
    children: dict[str, int] = field(default_factory=dict)
    """How many commands follow a payment's create, where any does."""
    stories: dict[str, BankStory] = field(default_factory=dict)
    """Payments whose bank did anything but approve."""
    payments: set[str] = field(default_factory=set)
    """Whom its commands are about, when that is to be remembered: also those that only a bank or a
    timer speaks of, since they are appended too where records go as they are."""
    remember: bool = False
    _asked: dict[str, int] = field(default_factory=dict)
    """Amounts of payments that their bank has not answered yet."""

    @classmethod
    async def of(cls, source: Source, *, remember: bool = False) -> Outlook:
        """Read the whole source; `remember` its payments. Raises what its `records` does."""
        outlook = cls(remember=remember)
        async for record in source.records():
            outlook.look_at(record)
        return outlook

    def look_at(self, record: Recorded) -> None:
        """The next record of the source."""
        self.first_at_ms = self.first_at_ms or record.at_ms
        self.records += 1
        if record.topic != PAYMENT_COMMANDS.name:
            return
        self.commands += 1
        command = command_of(record)
        if command is None:
            self.unreadable += 1
            return
        if self.remember:
            self.payments.add(command.payment_id)
        if isinstance(command, AcquirerAnswer):
            self._hear(command)
        elif is_step(command):
            self._count(command)

    def scenario_of(self, create: CreatePayment) -> str | None:
        """What the bank is to play: what it was told to, else what comes nearest to what it did;
        None for a plain approval."""
        if create.scenario is not None:
            return create.scenario
        story = self.stories.get(create.payment_id)
        return story.scenario(create.method) if story else None

    def _count(self, command: Command) -> None:
        self.steps += 1
        if isinstance(command, CreatePayment):
            if command.scenario is None:
                self._asked[command.payment_id] = command.amount
        else:
            self.children[command.payment_id] = self.children.get(command.payment_id, 0) + 1

    def _hear(self, answer: AcquirerAnswer) -> None:
        story = self.stories.get(answer.payment_id) or BankStory()
        story.hear(answer, self._asked.pop(answer.payment_id, None))
        if not story.plain:
            self.stories[answer.payment_id] = story


def command_of(record: Recorded) -> Command | None:
    """The command that a record holds; None when it holds none that is known here."""
    try:
        return COMMAND.validate_json(record.value or b"")
    except ValidationError:
        return None


def is_step(command: Command) -> bool:
    """Whether a client once sent this through an edge, and so a replay sends it. An operator's
    word about what a bank left in doubt is about that bank, so it is not sent."""
    by_hand = isinstance(command, ResolvePayment | InquirePayment)
    return isinstance(command, ClientCommand) and not by_hand
