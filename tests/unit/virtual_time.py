"""One payment's life in memory: settle decides, acquire asks, time jumps to what is due next."""

from __future__ import annotations

import heapq
from typing import Any

import pytest

from headgate.agents import acquire as acquiring
from headgate.agents.acquire import Acquire
from headgate.agents.acquirers import simulator as simulating
from headgate.agents.acquirers.protocol import Acquirer
from headgate.agents.acquirers.simulator import Simulator
from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.codec import decode, encode
from headgate.streams.commands import (
    COMMAND,
    AcquirerAnswer,
    AcquirerRequest,
    ClientCommand,
    Command,
    CreatePayment,
)
from headgate.streams.delays import NOT_BEFORE, TARGET
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import StoreUnavailable
from headgate.streams.facts import Fact
from headgate.streams.settings import Settings
from headgate.tables.payment import Payment
from headgate.tables.payments import Refusal, decide
from tests.unit.builders import AT_MS, create
from tests.unit.fake_attempts import FakeAttempts
from tests.unit.fake_store import FakeBus, headers
from tests.unit.fakes import event

COMMANDS, REQUESTS = "payments.commands", "acquirer.requests"
LONG_MS = 3 * 86_400_000
"""Behind every inquiry, before the end of a hold."""
STEPS_MAX = 500
"""More than any life takes: one that does not come to rest fails."""


class CrashingAttempts(FakeAttempts):
    """Every call to the bank ends with a crash before its answer is on record."""

    def __init__(self) -> None:
        super().__init__()
        self.crashed: set[tuple[str, int]] = set()

    async def answered(self, answers: Any) -> list[AcquirerAnswer]:
        """The answer that is kept, the second time."""
        keys = {(answer.attempt_id, answer.look) for answer in answers}
        new = keys - self.crashed
        self.crashed |= keys
        if new:
            raise StoreUnavailable("it crashed")
        return await super().answered(answers)


class World:
    """A log, a bank and a clock for one payment.

    `twice` delivers every record a second time; `crashing` ends every call to the bank before its
    answer is on record.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        twice: bool = False,
        crashing: bool = False,
    ) -> None:
        self.now_ms = AT_MS
        for module in (acquiring, simulating):
            monkeypatch.setattr(module, "now_ms", lambda: self.now_ms)
        settings = Settings().model_copy(
            update={"test_mode": True, "test_processing_delay_ms": 0, "acquirer_timeout_ms": 50}
        )
        self._settings = settings
        self.bus = FakeBus()
        self._attempts = CrashingAttempts() if crashing else FakeAttempts()
        self.ask_bank(Simulator(settings))
        self._twice = twice
        self._due: list[tuple[int, int, str, bytes]] = []
        self._decided: set[str] = set()
        self._steps = self._numbered = 0
        self.payment: Payment | None = None
        self.facts: list[Fact] = []
        self.refusals: list[Refusal] = []
        self.asked: list[AcquirerRequest] = []
        """What settle asked of the bank, in order."""
        self.told: list[AcquirerAnswer] = []
        """What settle was told by the bank, in the order in which it arrived."""

    def ask_bank(self, bank: Acquirer) -> None:
        """Ask another bank from now on."""
        self.acquire = Acquire(self._settings, self._attempts, self.bus, bank)

    async def pay(self, *, within_ms: int = LONG_MS, **change: Any) -> Payment:
        """Create a payment and let it come to rest."""
        self._put(self.now_ms, COMMANDS, encode(create(**change)))
        return await self.rest(within_ms)

    async def ask(
        self, kind: type[ClientCommand], *, within_ms: int = LONG_MS, **members: Any
    ) -> Payment:
        """A client's command, and what it comes to."""
        payment = self._known()
        key = f"{kind.__name__}-{len(self._decided)}"
        command = kind(
            command_id=ids.command_id(payment.id, kind.__name__, key),
            payment_id=payment.id,
            merchant_id=payment.merchant_id,
            mode=payment.mode,
            fingerprint="f" * 64,
            request_id="req_2",
            **members,
        )
        self._put(self.now_ms, COMMANDS, encode(command))
        return await self.rest(within_ms)

    async def rest(self, within_ms: int = LONG_MS) -> Payment:
        """Let time pass until nothing more is due, at most this long."""
        end_ms = self.now_ms + within_ms
        while self._due and self._due[0][0] <= end_ms:
            self._steps += 1
            assert self._steps < STEPS_MAX, "it does not come to rest"
            due_ms, _, topic, value = heapq.heappop(self._due)
            self.now_ms = max(self.now_ms, due_ms)
            for _ in range(2 if self._twice else 1):
                if topic == COMMANDS:
                    self._settle(decode(COMMAND, value))
                else:
                    await self._at_the_bank(value)
        return self._known()

    def words(self) -> list[str]:
        """The facts so far, without the noun where it is the payment."""
        return [fact.type.removeprefix("payment.") for fact in self.facts]

    def _known(self) -> Payment:
        assert self.payment is not None
        return self.payment

    def _put(self, due_ms: int, topic: str, value: bytes) -> None:
        self._numbered += 1
        heapq.heappush(self._due, (due_ms, self._numbered, topic, value))

    def _settle(self, command: Command) -> None:
        if command.command_id in self._decided:
            return
        self._decided.add(command.command_id)
        before = self.payment
        decision = decide(before, command, self.now_ms)
        if isinstance(command, AcquirerAnswer):
            self.told.append(command)
        if decision.refusal is not None:
            self.refusals.append(decision.refusal)
        self.payment = decision.payment
        self.facts += decision.facts
        _check_amounts(self._known())
        assert not isinstance(command, CreatePayment) or before is None
        for outgoing in decision.requests:
            reminder = outgoing.request.type == "payment.timer"
            if isinstance(outgoing.request, AcquirerRequest):
                self.asked.append(outgoing.request)
            due_ms = max(self.now_ms, outgoing.not_before_ms or 0)
            self._put(due_ms, COMMANDS if reminder else REQUESTS, encode(outgoing.request))

    async def _at_the_bank(self, value: bytes) -> None:
        record = Delivered(REQUESTS, 0, 0, b"pay", value, {}, self.now_ms, event(0))
        try:
            await self.acquire.handle(record, False)
        except StoreUnavailable:
            await self.acquire.handle(record, True)
        for told in self.bus.published:
            assert told.value is not None
            self._put(self._due_ms(told), _target(told), told.value)
        self.bus.published.clear()

    def _due_ms(self, record: Record) -> int:
        return max(self.now_ms, int(headers(record).get(NOT_BEFORE, "0")))


def _target(record: Record) -> str:
    target = headers(record).get(TARGET, record.topic)
    assert target == COMMANDS, f"to {target}: {record.value!r}"
    return target


def _check_amounts(payment: Payment) -> None:
    """The invariants of 02 §8.1 and 08 R21, at every step."""
    taken = payment.amount_captured + payment.pending("capture")
    released = payment.amount_voided + payment.pending("void")
    assert taken + released <= payment.amount_authorized
    assert payment.amount_refunded + payment.pending("refund") <= payment.amount_captured
    assert payment.amount_authorized <= payment.amount + sum(
        child.amount for child in payment.children if child.kind == "increment"
    )
