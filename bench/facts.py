"""Facts of payments that succeeded, as settle writes them, without a settle worker."""

from __future__ import annotations

from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import encode, fact_headers
from headgate.streams.commands import AcquirerAnswer, CreatePayment
from headgate.streams.facts import Fact
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS
from headgate.tables.payments import decide


class Facts:
    """The last facts of one merchant's payments. One is decided; the others are the same but for
    their ids, so that making them costs next to nothing."""

    def __init__(self, settings: Settings, merchant_id: str) -> None:
        self._settings = settings
        self._merchant_id = merchant_id
        fact = _success(merchant_id)
        self._event_id, self._payment_id = fact.id.encode(), fact.data.payment.id.encode()
        self._sequence = fact.sequence
        self._body = encode(fact)
        self._headers = fact_headers(fact, merchant_id)

    def event_id(self, key: str) -> str:
        """The id of the fact of the payment under this key."""
        return ids.event_id(self._payment(key), self._sequence)

    def record(self, key: str) -> Record:
        """The fact of the payment under this key, on its way to `payments.facts`."""
        payment_id, event_id = self._payment(key), self.event_id(key).encode()
        body = self._body.replace(self._payment_id, payment_id.encode())
        return Record(
            PAYMENT_FACTS.full_name(self._settings),
            ids.partition_of(payment_id, self._settings.partitions),
            payment_id.encode(),
            body.replace(self._event_id, event_id),
            tuple((name, event_id if name == "ce_id" else value) for name, value in self._headers),
        )

    def _payment(self, key: str) -> str:
        return ids.payment_id(self._merchant_id, "test", key)


def _success(merchant_id: str) -> Fact:
    """The last fact of a payment that the bank approved."""
    payment_id = ids.payment_id(merchant_id, "test", "template")
    created = CreatePayment(
        command_id=ids.command_id(payment_id, "create", "template"),
        payment_id=payment_id,
        merchant_id=merchant_id,
        mode="test",
        fingerprint="f",
        idempotency_key="template",
        request_id="req_template",
        amount=1000,
        currency="INR",
        method="upi",
        order_id="template",
        vpa="user@paytm",
    )
    attempt_id = ids.attempt_id(created.command_id, 1)
    approved = AcquirerAnswer(
        command_id=ids.command_id(payment_id, "authorize", f"{attempt_id}:0"),
        payment_id=payment_id,
        merchant_id=merchant_id,
        mode="test",
        attempt_id=attempt_id,
        operation="authorize",
        outcome="approved",
        amount=created.amount,
        reference="sim_template",
    )
    at_ms = now_ms()  # Workers forget what is past keeping.
    decided = decide(None, created, at_ms)
    return decide(decided.payment, approved, at_ms).facts[-1]
