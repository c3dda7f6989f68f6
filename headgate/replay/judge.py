"""The judge of a run: what was accepted, stored, settled and delivered must be the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headgate.replay import invariants
from headgate.replay.checks import Check, Found, wrong_if
from headgate.replay.invariants import Keys
from headgate.replay.receiver import Arrivals
from headgate.replay.standing import DELIVERED, Whose
from headgate.replay.stored import StoredPayment
from headgate.replay.tally import Tally
from headgate.streams.clock import iso

DOUBT_SLACK_MS = 30_000
"""How long after its time the bank may be asked again: a call to it may take ten seconds."""

MEANINGS = {
    "I1": "money adds up: captures, refunds and voids come to what a payment and its last fact say",
    "I4": "one key, one effect: no Idempotency-Key made two payments, or moved money twice",
    "I5": "amounts within limits: nothing is taken or given back twice; all amounts are above zero",
    "I6": "histories without gaps: facts 1 to n, each told by one command, along the state machine",
    "I9": "events have their ids: each fact has the one id of its payment and place",
    "I10": "webhooks in order: signed, attempts numbered, none early, repeats with the same bytes",
}
"""Name and meaning of the invariants that are lines of their own."""


class Judge:
    """Takes a run's payments page by page and says in the end what holds."""

    def __init__(self, of: Whose, tally: Tally, arrivals: Arrivals | None, now_ms: int) -> None:
        self._of = of
        self._tally = tally
        self._arrivals = arrivals
        self._now_ms = now_ms
        self._found: dict[str, Found] = {}
        self._keys = Keys()
        self._missing = set(tally.accepted)
        self._given_up = tally.unanswered - tally.accepted
        self._arrived_before = arrivals.distinct if arrivals else 0
        """Of these the rows are there to be read; a fact may be told while others are read."""
        self._children_missing = dict(tally.children)
        self._payments = self._settled = self._facts = self._told = 0
        self._doubts = Found()
        self._unexpected = 0

    def found(self, name: str) -> Found:
        """What is wrong about one thing so far."""
        return self._found.setdefault(name, Found())

    def add(self, page: Iterable[StoredPayment]) -> None:
        """Judge these payments too."""
        for one in page:
            if self._of.alone or self._is_ours(one):
                self._add(one)

    def _is_ours(self, one: StoredPayment) -> bool:
        tally, payment_id = self._tally, one.payment.id
        return payment_id in tally.accepted or payment_id in tally.unanswered

    def _add(self, one: StoredPayment) -> None:
        self._payments += 1
        self._missing.discard(one.payment.id)
        for child in one.children:
            self._children_missing.pop(child.id, None)
        self.found("I2").add(self._untold(one))
        self.found("I13").add(self._unanswered(one))
        for name, questions in invariants.OF_PAYMENT.items():
            for question in questions:
                self.found(name).add(question(one))
        self.found("I4").add(self._keys.add(one))
        self._settle(one)
        self._deliver(one)

    def _untold(self, one: StoredPayment) -> Iterable[str]:
        if not self._is_ours(one):
            yield f"{one.payment.id}: has a row, but nobody was told that it was accepted"

    def _unanswered(self, one: StoredPayment) -> Iterable[str]:
        if one.payment.id in self._given_up:
            yield f"{one.payment.id}: was created, but its request was given up unanswered"

    def _settle(self, one: StoredPayment) -> None:
        wrong = sum(1 for _ in invariants.unsettled(one))
        if one.in_doubt:
            wrong += self._doubt(one)
        self._settled += wrong == 0

    def _doubt(self, one: StoredPayment) -> int:
        """What is in doubt waits for the bank to be asked again: that alone is no fault."""
        payment_id, at_ms = one.payment.id, one.asks_again_ms
        if at_ms is None or at_ms < self._now_ms - DOUBT_SLACK_MS:
            due = f"was due at {iso(at_ms)}" if at_ms else "is not planned"
            return self.found("I3").add(
                [f"{payment_id}: in doubt, and asking the bank again {due}"]
            )
        self._doubts.add([f"{payment_id}: in doubt, the bank is asked again at {iso(at_ms)}"])
        self._unexpected += payment_id not in self._tally.in_doubt
        return 0

    def _deliver(self, one: StoredPayment) -> None:
        self._facts += len(one.facts)
        if self._of.endpoint_id is None:
            return
        wrong, arrivals = self.found("delivered"), self._arrivals
        undelivered = wrong.add(invariants.deliveries(one))
        if arrivals is None:
            self._told += len(one.facts) - undelivered
            return
        lost = [fact for fact in one.facts if not arrivals.has(fact.event_id, fact.payload)]
        told = {each.event_id for each in one.deliveries if each.status == DELIVERED}
        wrong.add(
            f"{fact.event_id}: {fact.type} of {one.payment.id} did not arrive, or with other bytes"
            for fact in lost
            if fact.event_id in told  # Of the others it is said already.
        )
        self._told += len(one.facts) - len(lost)

    def lines(self, others: Sequence[tuple[str, bytes]] = ()) -> list[Check]:
        """The verdict, but for what only a request can show; `others` are webhooks about no
        payment."""
        self._strangers(others)
        main = [self._stored(), self._children(), self._settlement(), self._doubt_line()]
        kept = [self._kept(invariant, *said.split(": ", 1)) for invariant, said in MEANINGS.items()]
        return [*main, self._delivery(), *kept, self._effects()]

    def _stored(self) -> Check:
        wrong, accepted = self.found("I2"), len(self._tally.accepted)
        wrong.add(f"{each}: was accepted, but has no row" for each in sorted(self._missing))
        meaning = "every payment that was answered 2xx has one row, and there is no other row"
        return wrong_if(wrong, "accepted = stored", (accepted, self._payments), meaning, "I2")

    def _children(self) -> Check:
        wrong, accepted = Found(), len(self._tally.children)
        for child, payment in sorted(self._children_missing.items()):
            wrong.add([f"{child}: was accepted for {payment}, but has no row"])
        meaning = "every capture, void, refund and increment that was answered 2xx has a row"
        counts = (accepted, accepted - wrong.count)
        return wrong_if(wrong, "accepted parts = stored", counts, meaning, "I2")

    def _settlement(self) -> Check:
        meaning = "nothing waits for the gateway: all is decided, or rests until somebody acts"
        counts = (self._payments, self._settled)
        return wrong_if(self.found("I3"), "stored = settled", counts, meaning, "I3")

    def _doubt_line(self) -> Check:
        meaning = "only those wait for the bank that waited for it in the recording"
        expected = f"at most {len(self._tally.in_doubt)}"
        ok, told = self._unexpected == 0, tuple(self._doubts.examples)
        return Check("in doubt as recorded", ok, expected, self._doubts.count, meaning, "I3", told)

    def _delivery(self) -> Check:
        name, wrong = "facts = delivered", self.found("delivered")
        if self._of.endpoint_id is None:
            why = self._of.why_untold or "no webhooks go to a receiver of this run"
            return Check(name, None, self._facts, "not asked", why, "I9")
        meaning = "every fact came to the receiver, signed, with the bytes of its row"
        if self._arrivals is None:
            meaning = "the receiver took every fact's webhook, as far as our own rows know"
        return wrong_if(wrong, name, (self._facts, self._told), meaning, "I9")

    def _kept(self, invariant: str, name: str, meaning: str) -> Check:
        wrong = self.found(invariant)
        return wrong_if(wrong, name, (0, wrong.count), meaning, invariant)

    def _effects(self) -> Check:
        wrong = self.found("I13")
        meaning = "no request was left with an error although its payment was made"
        return wrong_if(wrong, "no effect unanswered", (0, wrong.count), meaning, "I13")

    def _strangers(self, others: Sequence[tuple[str, bytes]]) -> None:
        """I10: what arrived and is no webhook of this endpoint, or was not signed."""
        arrivals, wrong = self._arrivals, self.found("I10")
        if arrivals is None:
            return
        known = self._told + sum(arrivals.has(*each) for each in others)
        strange = self._arrived_before - known
        if strange > 0:
            wrong.add([f"{strange} webhooks arrived that no row knows, or with other bytes"])
        if arrivals.forgotten:
            wrong.add([f"{arrivals.forgotten} webhooks were too many to be remembered"])
        wrong.add(arrivals.complaints)
