"""The invariants that a payment's rows can prove or break (07 §7). Pure: rows in, faults out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise

import orjson

from headgate.replay.stored import StoredDelivery, StoredPayment
from headgate.streams import ids
from headgate.streams.clock import iso
from headgate.streams.facts import State
from headgate.tables.transitions import TRANSITIONS

EARLY_S_MAX = 0.001
"""How much earlier than its time an attempt may seem to begin: times are of whole milliseconds."""

Faults = Iterator[str]
"""What is wrong, a sentence each, beginning with the id that it is about."""


def money(one: StoredPayment) -> Faults:
    """I1: every minor unit that a payment says was moved was moved by something, and its last fact
    says the same."""
    payment, moved = one.payment, Counter[str]()
    for child in one.children:
        if child.state == "succeeded":
            moved[child.kind] += child.amount
    automatic = payment.capture_method == "automatic"
    captured = payment.amount_authorized if automatic else moved["capture"]
    for name, said, summed in (
        ("captured", payment.amount_captured, captured),
        ("refunded", payment.amount_refunded, moved["refund"]),
        ("voided", payment.amount_voided, moved["void"]),
    ):
        if said != summed:
            yield f"{payment.id}: {said} {name}, but its movements come to {summed}"
    if one.facts:
        yield from _last_fact(one)


def _last_fact(one: StoredPayment) -> Faults:
    fact = one.facts[-1]
    told = fact.payment
    now = orjson.loads(one.payment.snapshot().model_dump_json())
    for name in now:
        if told.get(name) != now[name]:
            was, is_now = told.get(name), now[name]
            yield f"{one.payment.id}: {name} is {is_now}, but {fact.event_id} told {was}"


def limits(one: StoredPayment) -> Faults:
    """I5: what is taken, let go or under way never exceeds what is held, nor what is given back
    what was taken; all amounts are above zero (08 R21)."""
    payment = one.payment
    taken = payment.amount_captured + payment.pending("capture")
    taken += payment.amount_voided + payment.pending("void")
    if taken > payment.amount_authorized:
        yield f"{payment.id}: {taken} taken or let go of {payment.amount_authorized} authorised"
    back = payment.amount_refunded + payment.pending("refund")
    if back > payment.amount_captured:
        yield f"{payment.id}: {back} refunded of {payment.amount_captured} captured"
    wrong = [child.id for child in one.children if child.amount <= 0]
    if wrong or one.amount <= 0:
        yield f"{payment.id}: an amount is not above zero: {', '.join(wrong) or one.amount}"


def rows_agree(one: StoredPayment) -> Faults:
    """I6: the columns that people and lists read say what decisions are made from."""
    payment = one.payment
    if (one.state, one.status, one.amount) != (payment.state, payment.status, payment.amount):
        yield f"{payment.id}: its row says {one.state}, its record {payment.state}"
    shown = {(child.id, child.kind, child.state, child.amount) for child in one.children}
    known = {(child.id, child.kind, child.state, child.amount) for child in payment.children}
    for child_id in sorted({child[0] for child in shown ^ known}):
        yield f"{payment.id}: {child_id} differs between its own row and the payment's record"


def history(one: StoredPayment) -> Faults:
    """I6: facts are numbered 1 to n without a gap, every one was told by a command that has a row,
    and their states are a path of the machine."""
    payment = one.payment
    numbers = [fact.sequence for fact in one.facts]
    if numbers != list(range(1, payment.sequence + 1)):
        yield f"{payment.id}: facts {_spans(numbers)}, but its sequence is {payment.sequence}"
    told = [
        number
        for operation in one.operations
        if operation.last_sequence
        for number in range(operation.first_sequence, operation.last_sequence + 1)
    ]
    if sorted(told) != numbers:
        yield f"{payment.id}: its commands told facts {_spans(sorted(told))}, not {_spans(numbers)}"
    states = [fact.payment["state"] for fact in one.facts]
    for before, after in pairwise([None, *states]):
        if before != after and (before, after) not in arrows():
            yield f"{payment.id}: went from {before or 'nothing'} to {after}, which no row allows"


@cache
def arrows() -> frozenset[tuple[State | None, State]]:
    """Every pair of states that two facts in a row may show: each step of every transition."""
    found: set[tuple[State | None, State]] = set()
    for row in TRANSITIONS:
        for source in row.sources:
            at = source
            for step in row.steps:
                if step.state is not None:
                    found.add((at, step.state))
                    at = step.state
    return frozenset(found)


def events(one: StoredPayment) -> Faults:
    """I9: each fact has the one event id that is derived from its payment and place."""
    for fact in one.facts:
        derived = ids.event_id(one.payment.id, fact.sequence)
        said = fact.said["id"], fact.said["sequence"]
        if (fact.event_id, *said) != (derived, derived, fact.sequence):
            yield f"{fact.event_id}: fact {fact.sequence} of {one.payment.id} must be {derived}"


def deliveries(one: StoredPayment) -> Faults:
    """I9: each event has one delivery to the endpoint, that has ended."""
    by_event: dict[str, list[StoredDelivery]] = {}
    for delivery in one.deliveries:
        by_event.setdefault(delivery.event_id, []).append(delivery)
    for fact in one.facts:
        found = by_event.pop(fact.event_id, [])
        what = f"{fact.event_id}: {fact.type} of {one.payment.id}"
        if not found:
            yield f"{what} was not matched to the endpoint"
        elif len(found) > 1:
            yield f"{what} has {len(found)} deliveries: {', '.join(d.id for d in found)}"
        elif found[0].status != "success":
            yield f"{what} is {found[0].status}: the receiver last said {found[0].said}"
    for event_id in by_event:
        yield f"{event_id}: a delivery of {one.payment.id} without a fact"


def attempts(one: StoredPayment) -> Faults:
    """I10: the tries of a delivery are numbered 1 to n, and none begins before its time."""
    for delivery in one.deliveries:
        numbers = [made.attempt for made in delivery.attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{delivery.id}: its attempts are numbered {_spans(numbers)}"
        for before, after in pairwise(delivery.attempts):
            early_s = (before.next_at - after.started_at).total_seconds() if before.next_at else 0
            if early_s > EARLY_S_MAX:
                yield f"{delivery.id}: attempt {after.attempt} began {early_s:.3f} s early"


def unsettled(one: StoredPayment) -> Faults:
    """I3: nothing that the gateway itself moves on has stayed behind."""
    if one.state in ("created", "processing"):
        yield f"{one.payment.id}: {one.state} since {iso(one.payment.updated_at_ms)}"
    for child in one.payment.children:
        waits = child.state == "requested" and child.submit_at_ms
        if child.state in ("requested", "submitted") and not waits:
            yield f"{child.id}: {child.kind} of {one.payment.id}, {child.state}"


def _spans(numbers: list[int]) -> str:
    """`1-3, 5` for 1, 2, 3, 5; a number that stands twice is told twice."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    told = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    return ", ".join(told) or "none"


OF_PAYMENT: Mapping[str, tuple[Callable[[StoredPayment], Faults], ...]] = {
    "I1": (money,),
    "I3": (unsettled,),
    "I5": (limits,),
    "I6": (history, rows_agree),
    "I9": (events,),
    "I10": (attempts,),
}
"""What every payment is asked, by the invariant's number; not all runs have webhooks to ask of."""


class Keys:
    """I4 over a whole run: no idempotency key has had two effects. Creates have their payment's id
    for a key, which is derived from theirs; everything else has the key's own id."""

    def __init__(self) -> None:
        self._creates: dict[str, str] = {}
        self._others: dict[str, str] = {}

    def add(self, one: StoredPayment) -> Faults:
        """What is wrong with this payment's keys, given those before it."""
        key = one.payment.idempotency_key
        if key is not None:
            first = self._creates.setdefault(key, one.payment.id)
            if first != one.payment.id:
                yield f"{one.payment.id}: has the Idempotency-Key {key!r} of {first}"
        creates = [each for each in one.operations if each.type == "payment.create"]
        if len(creates) != 1:
            yield f"{one.payment.id}: was created by {len(creates)} commands"
        for operation in one.operations:
            yield from self._other(one, operation.key_id, operation.command_id)

    def _other(self, one: StoredPayment, key_id: str | None, command_id: str) -> Faults:
        if key_id is None:
            return
        first = self._others.setdefault(key_id, command_id)
        if first != command_id:
            yield f"{command_id}: acted on {one.payment.id} under the key of {first}"
