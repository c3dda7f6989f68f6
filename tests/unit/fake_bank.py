"""A bank that says what the test says, and acquire between it, a table of attempts and a log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headgate.agents.acquire import Acquire
from headgate.agents.acquirers.protocol import Answer, Callback
from headgate.streams.codec import decode
from headgate.streams.commands import COMMAND, AcquirerAnswer, AcquirerRequest, BankCall
from headgate.streams.engine.intake import Delivered
from headgate.streams.settings import Settings
from headgate.tables.payments import decide
from tests.unit.builders import AT_MS, create
from tests.unit.fake_attempts import FakeAttempts
from tests.unit.fake_store import FakeBus
from tests.unit.fakes import event

COMMANDS = "payments.commands"


class Bank:
    """A bank that remembers what it was asked and says what the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[BankCall, int]] = []
        self.says = Answer("approved", "ref_1")
        self.remembers = Answer("approved", "ref_1")
        self.calls_back: Sequence[Callback] = ()
        self.act: Callable[[], object] | None = None

    def _said(self, request: AcquirerRequest) -> Answer:
        self.asked.append((request.type, request.look))
        if self.act is not None:
            self.act()
        return self.says

    async def authorize(self, request: AcquirerRequest) -> Answer:
        """A charge."""
        return self._said(request)

    async def capture(self, request: AcquirerRequest) -> Answer:
        """Any other call."""
        return self._said(request)

    void = refund = reverse = increment = capture

    async def inquire(self, request: AcquirerRequest) -> Answer:
        """What became of it."""
        assert request.type == "inquire"
        self.asked.append(("inquire", request.look))
        return self.remembers

    def callbacks(self, request: AcquirerRequest, answer: Answer) -> Sequence[Callback]:
        """What it says later."""
        return self.calls_back


class Desk:
    """Acquire between its fakes."""

    def __init__(self, **change: int) -> None:
        self.attempts, self.bus, self.bank = FakeAttempts(), FakeBus(), Bank()
        self.settings = Settings().model_copy(update=change)
        self.acquire = Acquire(self.settings, self.attempts, self.bus, self.bank)

    async def hand(self, value: bytes, partition: int = 3) -> None:
        """Handle one record."""
        record = Delivered("acquirer.requests", partition, 0, b"pay", value, {}, AT_MS, event(0))
        await self.acquire.handle(record, False)

    def answers(self) -> list[AcquirerAnswer]:
        """What was told to settle since the last look."""
        found = [decode(COMMAND, record.value) for record in self.bus.on(COMMANDS)]
        return [one for one in found if isinstance(one, AcquirerAnswer)]


def request(key: str = "key-1", look: int = 0, **change: object) -> AcquirerRequest:
    """What settle asks of a bank, an inquiry when `look` is above 0."""
    asked = decide(None, create(key), AT_MS).requests[0].request
    assert isinstance(asked, AcquirerRequest)
    kind = "inquire" if look else "authorize"
    return asked.model_copy(update={"look": look, "type": kind, **change})
