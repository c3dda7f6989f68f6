"""Whatever a bank does short of lying, its books and ours agree in the end, and nothing moves twice
(07 §6, rows 32 and 33; 08 R20 to R23)."""

from __future__ import annotations

import random

import pytest

from headgate.streams.commands import (
    CancelPayment,
    CapturePayment,
    IncrementPayment,
    RefundPayment,
    ReversePayment,
)
from tests.unit.ledger_bank import LedgerBank
from tests.unit.virtual_time import World

LIVES = 60
FIVE_DAYS_MS = 5 * 86_400_000
SHORT_MS = 4000


async def live(world: World, bank: LedgerBank, chance: random.Random) -> None:
    """A payment, and what a merchant may do to it, at times before it has come to rest."""
    method = chance.choice(["automatic", "manual"])
    await world.pay(
        within_ms=chance.choice([SHORT_MS, FIVE_DAYS_MS]),
        capture_method=method,
        amount=chance.randint(100, 100_000),
        late_authorization=chance.choice(["refund", "accept"]),
        partial_authorization=chance.random() < 0.5,
        scenario=None,
    )
    for _ in range(chance.randint(0, 6)):
        within_ms = chance.choice([0, SHORT_MS, SHORT_MS, FIVE_DAYS_MS])
        amount = chance.randint(1, 60_000)
        step = chance.choice(["capture", "capture", "refund", "refund", "cancel", "raise", "undo"])
        if step == "capture":
            final = chance.random() < 0.5
            await world.ask(CapturePayment, within_ms=within_ms, amount=amount, final=final)
        elif step == "refund":
            await world.ask(RefundPayment, within_ms=within_ms, amount=amount)
        elif step == "cancel":
            part = amount if chance.random() < 0.3 else None
            await world.ask(CancelPayment, within_ms=within_ms, amount=part)
        elif step == "raise":
            await world.ask(IncrementPayment, within_ms=within_ms, amount=amount)
        elif chance.random() < 0.3:
            await world.ask(ReversePayment, within_ms=within_ms)
    await world.rest(10 * 86_400_000)


def check(world: World, bank: LedgerBank) -> None:
    """Our amounts are what the bank moved."""
    payment = world.payment
    assert payment is not None
    assert bank.called_again == []
    unsure = [child for child in payment.children if child.is_reserved]
    if unsure:
        assert {child.state for child in unsure} == {"needs_review"}
        return
    held = bank.moved("authorize") + bank.moved("increment")
    assert payment.amount_authorized == held, "held"
    taken = held if payment.capture_method == "automatic" else bank.moved("capture")
    assert payment.amount_captured == taken, "captured"
    assert payment.amount_voided == bank.moved("void"), "voided"
    assert payment.amount_refunded == bank.moved("refund"), "refunded"
    assert [refusal.code for refusal in world.refusals].count("approved_too_late") == 0


@pytest.mark.parametrize("how", ["plain", "twice", "crashing"])
@pytest.mark.parametrize("seed", range(LIVES))
async def test_the_banks_books_and_ours_agree_08_r20(
    seed: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, twice=how == "twice", crashing=how == "crashing")
    bank = LedgerBank(seed, lambda: world.now_ms)
    world.ask_bank(bank)
    await live(world, bank, random.Random(seed))  # noqa: S311  a test's dice
    check(world, bank)
