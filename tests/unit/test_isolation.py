"""A refused row is looked at once more before it is given up, and halves are worked on in order."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.streams.engine.batch import Batch
from headgate.streams.engine.intake import Delivered
from headgate.tables.isolation import isolated
from headgate.tables.postgres import RowRefused
from headgate.tables.store import Conflict
from tests.unit.builders import create
from tests.unit.fake_store import Stage, told
from tests.unit.fakes import TOPIC, event


def batch(*offsets: int) -> Batch:
    """Records at these offsets of partition 0."""
    return Batch([Delivered(TOPIC, 0, o, b"k", b"{}", {}, 0, event(o)) for o in offsets], {})


class Desk:
    """Refuses an offset as often as the test says and remembers what it was asked."""

    def __init__(self, **refusals: int) -> None:
        self.refusals = {int(name[2:]): times for name, times in refusals.items()}
        self.worked: list[list[int]] = []
        self.refused: list[int] = []

    async def work(self, given: Batch) -> None:
        """Refuse, or be done with all of it."""
        offsets = [record.offset for record in given.records]
        for offset in offsets:
            if self.refusals.get(offset, 0) > 0:
                self.refusals[offset] -= 1
                raise RowRefused("PostgreSQL refuses a row: UniqueViolationError (23505)")
        self.worked.append(offsets)

    async def refuse(self, given: Batch, reason: str) -> None:
        """Note the culprit."""
        assert "23505" in reason
        self.refused.append(given.records[0].offset)


async def test_a_single_record_is_tried_once_more_before_it_is_refused() -> None:
    """An earlier try of the same statement may commit while this one waits for its claim: its
    snapshot does not show those rows, so they collide; the next try finds them and tells them."""
    desk = Desk(at7=1)
    await isolated(batch(7), desk.work, desk.refuse)
    assert (desk.worked, desk.refused) == ([[7]], [])


@pytest.mark.parametrize("culprit", [5, 6, 7])
async def test_a_record_that_is_refused_for_good_stands_alone(culprit: int) -> None:
    """08 R6."""
    desk = Desk(**{f"at{culprit}": 100})
    await isolated(batch(5, 6, 7), desk.work, desk.refuse)
    assert desk.refused == [culprit]
    assert [o for part in desk.worked for o in part] == [o for o in (5, 6, 7) if o != culprit]


async def test_a_command_whose_abandoned_statement_commits_meanwhile_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """08 R3: the repetition waits for the claim's row behind the statement that the client gave up,
    and collides with rows that its snapshot does not show. No dead letter: the facts are due."""
    stage, command = Stage(), create()
    batch = stage.batch(command)
    settle, tries = stage.store.settle, 0

    async def late(*given: Any) -> Conflict:
        nonlocal tries
        tries += 1
        if tries == 1:
            await settle(*given)
            raise RowRefused("PostgreSQL refuses a row: UniqueViolationError (23505)")
        return await settle(*given)

    monkeypatch.setattr(stage.store, "settle", late)
    await stage.settle.handle(batch)
    assert stage.bus.on("payments.commands.dead") == []
    assert told(stage) == [(command.payment_id, n) for n in (1, 2, 3)]
    assert len(stage.bus.on("acquirer.requests")) == 1
