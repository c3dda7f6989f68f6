"""The ledger never lets a commit pass what is not acknowledged (08 R4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.engine.ledger import Ledger


def deliver(ledger: Ledger, offset: int) -> object:
    message = object()
    ledger.deliver(offset, message)
    return message


def test_nothing_delivered_means_the_position_where_reading_began() -> None:
    assert Ledger(7).committable() == 7


def test_the_commit_is_the_contiguous_acknowledged_run() -> None:
    ledger = Ledger(0)
    messages = [deliver(ledger, offset) for offset in range(4)]
    for offset in (0, 1, 3):
        assert ledger.acknowledge(offset, messages[offset])
    assert ledger.committable() == 2
    assert ledger.unacknowledged == 1
    assert ledger.acknowledge(2, messages[2])
    assert ledger.committable() == 4
    assert ledger.unacknowledged == 0


def test_an_acknowledgement_counts_once() -> None:
    ledger = Ledger(0)
    message = deliver(ledger, 0)
    assert ledger.acknowledge(0, message)
    assert not ledger.acknowledge(0, message)
    assert ledger.unacknowledged == 0


def test_the_late_acknowledgement_of_a_superseded_copy_does_not_count() -> None:
    ledger = Ledger(0)
    old = deliver(ledger, 0)
    ledger.rewind(0)
    new = deliver(ledger, 0)
    assert not ledger.acknowledge(0, old)
    assert ledger.committable() == 0
    assert ledger.acknowledge(0, new)
    assert ledger.committable() == 1


def test_going_back_keeps_what_was_delivered_before() -> None:
    ledger = Ledger(0)
    first = deliver(ledger, 0)
    deliver(ledger, 1)
    ledger.rewind(1)
    assert (ledger.next, ledger.unacknowledged, ledger.committable()) == (1, 1, 0)
    assert ledger.acknowledge(0, first)
    assert ledger.committable() == 1


def test_going_back_behind_the_commit_takes_the_commit_along() -> None:
    """08 R4: PostgreSQL's position rules; a group that is ahead of it must not stay ahead."""
    ledger = Ledger(5)
    assert ledger.acknowledge(5, deliver(ledger, 5))
    assert ledger.committable() == 6
    ledger.rewind(2)
    assert ledger.committable() == 2


def test_going_forward_starts_there() -> None:
    ledger = Ledger(5)
    ledger.rewind(50)
    assert (ledger.next, ledger.committable()) == (50, 50)


def test_what_retention_removed_does_not_hold_back_the_commit() -> None:
    ledger = Ledger(0)
    assert ledger.acknowledge(0, deliver(ledger, 0))
    ledger.rewind(10)
    assert ledger.acknowledge(10, deliver(ledger, 10))
    assert ledger.committable() == 11


@given(st.lists(st.tuples(st.sampled_from(["deliver", "ack", "rewind"]), st.integers(0, 8))))
def test_every_delivered_record_below_the_commit_is_acknowledged(
    steps: list[tuple[str, int]],
) -> None:
    ledger = Ledger(0)
    current: dict[int, object] = {}
    acknowledged: set[int] = set()
    for step, number in steps:
        if step == "deliver":
            offset = ledger.next
            current[offset] = deliver(ledger, offset)
        elif step == "ack" and number in current:
            if ledger.acknowledge(number, current[number]):
                acknowledged.add(number)
        elif step == "rewind" and number <= ledger.next:
            ledger.rewind(number)
            current = {offset: m for offset, m in current.items() if offset < number}
            acknowledged = {offset for offset in acknowledged if offset < number}
        committable = ledger.committable()
        assert committable <= ledger.next
        assert all(offset in acknowledged for offset in current if offset < committable)
        assert ledger.unacknowledged == len(current.keys() - acknowledged)
