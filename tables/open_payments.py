"""The hot state: open payments as this worker last knew them, checked by PostgreSQL's version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import Headers, event_headers
from headgate.tables.payment import Payment


class ChangeLogged(Protocol):
    """The durable table behind: memory now, and the record that makes the change last."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, partition: int, key: bytes, value: bytes, headers: Headers) -> Record: ...
    def delete(self, partition: int, key: bytes, headers: Headers) -> Record: ...


class OpenPayments:
    """Open payments by id. A wrong entry costs a reload, never a wrong fact (00 A7, 08 R1)."""

    def __init__(self, table: ChangeLogged) -> None:
        self._table = table
        self._read: dict[str, Payment] = {}

    def get(self, payment_id: str) -> Payment | None:
        """The payment, None when it is not known to be open."""
        known = self._read.get(payment_id)
        if known is not None:
            return known
        raw = self._table.get(payment_id.encode())
        return Payment.model_validate_json(raw) if raw else None

    def keep(self, partition: int, payments: Iterable[Payment]) -> list[Record]:
        """Remember the open ones, forget the others; the records that the changelog needs."""
        return [self._keep(partition, payment) for payment in payments]

    def _keep(self, partition: int, payment: Payment) -> Record:
        key = payment.id.encode()
        if payment.is_open:
            self._read[payment.id] = payment
            value = payment.model_dump_json().encode()
            return self._table.put(partition, key, value, _headers("open_payment.kept", payment))
        self._read.pop(payment.id, None)
        return self._table.delete(partition, key, _headers("open_payment.over", payment))

    def forget(self) -> None:
        """Drop what was read: the partitions may go to another worker."""
        self._read.clear()


def _headers(kind: str, payment: Payment) -> Headers:
    """Those of one version of a payment."""
    known_by, time = f"{payment.id}.{payment.version}", iso(payment.updated_at_ms)
    return event_headers(b"/headgate/open-payments", kind, known_by, time)
