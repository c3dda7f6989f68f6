"""Replies: told to the edge that waits, never waited for, and nothing without Redis (08 R16)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import cast

import pytest

from headgate.streams.commands import Command, RefundPayment
from headgate.streams.settings import Settings
from headgate.tables.decided import Decided
from headgate.tables.replies import WAITING_MAX, Replies, Reply
from headgate.tables.store import Operation
from tests.unit.builders import answer_to, create
from tests.unit.fake_store import Stage


class Heard(Replies):
    """Publishes into a list, or fails as Redis does when it is away."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.batches: list[list[tuple[str, Reply]]] = []
        self.away = False

    async def _publish(self, batch: Sequence[tuple[str, Reply]]) -> None:
        if self.away:
            raise OSError("Redis is away")
        self.batches.append(list(batch))

    @property
    def heard(self) -> list[tuple[str, Reply]]:
        """Everything that was published."""
        return [each for batch in self.batches for each in batch]


def refund(number: int = 1, **change: object) -> RefundPayment:
    """A refund of the payment that `create()` makes."""
    made = create()
    fields = {
        "command_id": f"cmd_refund_{number}",
        "payment_id": made.payment_id,
        "merchant_id": made.merchant_id,
        "mode": made.mode,
        "fingerprint": "refund",
        "request_id": "req_refund",
        "amount": 20_000,
        "reply_to": "edge_1",
    }
    return RefundPayment.model_validate(fields | change)


async def told(stage: Stage, replies: Heard) -> list[tuple[str, Reply]]:
    """What edges hear."""
    task = asyncio.create_task(replies.run())
    while replies._waiting:  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0)
    task.cancel()
    return replies.heard


@pytest.fixture
def stage() -> Stage:
    """Settle, with a payment that is captured."""
    return Stage()


async def captured(stage: Stage) -> Heard:
    """The replies of a settle that has a captured payment."""
    replies = Heard()
    stage.settle._replies = replies
    await stage.hand(create(), answer_to(create(), "approved"))
    return replies


async def test_the_edge_that_waits_hears_what_was_stored(stage: Stage) -> None:
    replies = await captured(stage)
    await stage.hand(refund(), at=2)
    [(edge, reply)] = await told(stage, replies)
    assert edge == "edge_1"
    assert (reply.command_id, reply.type) == ("cmd_refund_1", "payment.refund")
    assert (reply.refusal, reply.offset, reply.request_id) == (None, 2, "req_refund")
    assert b'"amount":20000' in reply.result


async def test_a_refusal_is_told_too_and_nobody_hears_what_nobody_waits_for(stage: Stage) -> None:
    replies = await captured(stage)
    await stage.hand(refund(1, amount=50_001), refund(2, reply_to=None), at=2)
    [(_, reply)] = await told(stage, replies)
    assert reply.refusal == "refund_exceeds_refundable"


async def test_a_duplicate_at_another_offset_gets_its_reply_and_nothing_else_08_r3(
    stage: Stage,
) -> None:
    replies = await captured(stage)
    await stage.hand(refund(), at=2)
    published = len(stage.bus.published)
    await stage.hand(refund(request_id="req_repeat"), at=3)
    first, again = await told(stage, replies)
    assert len(stage.bus.published) == published
    assert again[1].offset == first[1].offset
    assert (again[1].request_id, again[1].result) == ("req_refund", first[1].result)


async def test_redis_away_costs_nothing(stage: Stage) -> None:
    replies = await captured(stage)
    replies.away = True
    task = asyncio.create_task(replies.run())
    await stage.hand(*(refund(n, amount=1) for n in range(5)), at=2)
    assert len(stage.store.known) == 7
    assert not task.done()
    task.cancel()


def test_what_waits_is_bounded() -> None:
    replies = Heard()
    operation = Operation("cmd", "pay", 0, 1, 1, 0, (), None, "f", "req", b"{}")
    asked: Iterable[tuple[Command, Decided | Operation]] = (
        (cast("Command", refund(n)), operation) for n in range(WAITING_MAX + 10)
    )
    replies.tell(asked)
    assert len(replies._waiting) == WAITING_MAX
