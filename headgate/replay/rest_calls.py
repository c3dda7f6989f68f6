"""From a step to the request that an edge is asked (01 §2): route, body, idempotency key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from headgate.replay.bank_values import (
    APPROVED,
    BankValue,
    magic_of,
    value_again,
    value_for,
)
from headgate.replay.fresh_ids import Ids, RecordedIds
from headgate.replay.steps import Step
from headgate.streams.clock import iso
from headgate.streams.commands import (
    AuthenticatePayment,
    CancelPayment,
    CancelRefund,
    CapturePayment,
    ClientCommand,
    CreatePayment,
    IncrementPayment,
    RefundPayment,
    ReversePayment,
)
from headgate.streams.errors import HeadgateError

API = "/api/v1"
EXPIRY_MONTH, EXPIRY_YEAR, CVV = 12, 2099, "123"
"""Of test cards that stand for others."""
CARD_UNKNOWN, KEY_UNKNOWN = "its card number is not recorded", "it had no idempotency key"
OTHER_MERCHANT = "it is another merchant's"
"""Why something cannot be sent under its recorded ids."""
Body = dict[str, Any]
_COPIED = (
    "amount", "currency", "method", "order_id", "capture_method", "late_authorization",
    "partial_authorization", "customer_id", "statement_descriptor", "return_url", "description",
    "metadata",
)  # fmt: skip


class NotRepeatable(HeadgateError):
    """A step whose request cannot be made again, with the reason."""


class Call(NamedTuple):
    """A POST."""

    path: str
    body: Body
    key: str
    plays: str | None = None
    """Of a create: the scenario that its test value plays."""


def call_of(step: Step, ids: Ids, shift_ms: int) -> Call:
    """The request of a step; times in it move by `shift_ms`, as the step itself does. Under its
    recorded ids it is the very same request, so its times stay too: another one would be refused.

    Raises NotRepeatable of what was sent without a key, or with a card that is no test card, when
    it is to be sent under its recorded ids.
    """
    recorded, key = step.recorded, ids.key(step.recorded)
    shift_ms = 0 if isinstance(ids, RecordedIds) else shift_ms
    whose = (recorded.merchant_id, recorded.mode)
    if isinstance(ids, RecordedIds) and whose != (ids.merchant_id, ids.mode):
        raise NotRepeatable(OTHER_MERCHANT)
    if key is None:
        raise NotRepeatable(KEY_UNKNOWN)
    if isinstance(recorded, CreatePayment):
        value = _value(step, recorded, ids)
        return Call(f"{API}/payments", _create(recorded, value, shift_ms), key, value.scenario)
    path, body = _CALLS[type(recorded)](recorded, ids, shift_ms)
    return Call(f"{API}{path}", _said(body), key)


def _value(step: Step, recorded: CreatePayment, ids: Ids) -> BankValue:
    if not isinstance(ids, RecordedIds):
        return value_for(recorded, step.scenario or APPROVED)
    value = value_again(recorded)
    if value is None:
        raise NotRepeatable(CARD_UNKNOWN)
    return value


def _create(recorded: CreatePayment, value: BankValue, shift_ms: int) -> Body:
    body: Body = {name: getattr(recorded, name) for name in _COPIED}
    if magic_of(recorded) not in (None, value.scenario):  # it would come before the value
        del body["metadata"]
    body |= {
        "vpa": value.vpa,
        "card": _card(recorded, value.card_number) if value.card_number else None,
        "capture_at": _moved(recorded.capture_at_ms, shift_ms),
        "expires_in": recorded.expires_in_s,
    }
    return _said(body)


def _card(recorded: CreatePayment, number: str) -> Body:
    kept = recorded.card
    month, year = (
        (kept.expiry_month, kept.expiry_year)
        if kept and kept.last4 == number[-4:]
        else (EXPIRY_MONTH, EXPIRY_YEAR)
    )
    return {"number": number, "expiry_month": month, "expiry_year": year, "cvv": CVV}


def _moved(at_ms: int | None, shift_ms: int) -> str | None:
    return None if at_ms is None else iso(at_ms + shift_ms)


def _said(body: Mapping[str, Any]) -> Body:
    """Without what was not said."""
    return {name: value for name, value in body.items() if value is not None}


def _capture(recorded: CapturePayment, ids: Ids, _shift_ms: int) -> tuple[str, Body]:
    body = {"amount": recorded.amount, "final": recorded.final}
    return f"/payments/{ids.payment(recorded)}/capture", body


def _cancel(recorded: CancelPayment, ids: Ids, _shift_ms: int) -> tuple[str, Body]:
    body = {"amount": recorded.amount, "reason": recorded.reason}
    return f"/payments/{ids.payment(recorded)}/cancel", body


def _refund(recorded: RefundPayment, ids: Ids, shift_ms: int) -> tuple[str, Body]:
    body = {
        "amount": recorded.amount,
        "full": True if recorded.amount is None else None,
        "reason": recorded.reason,
        "submit_at": _moved(recorded.submit_at_ms, shift_ms),
    }
    return f"/payments/{ids.payment(recorded)}/refunds", body


def _cancel_refund(recorded: CancelRefund, ids: Ids, _shift_ms: int) -> tuple[str, Body]:
    return f"/refunds/{ids.refund(recorded)}/cancel", {}


def _reverse(recorded: ReversePayment, ids: Ids, _shift_ms: int) -> tuple[str, Body]:
    return f"/payments/{ids.payment(recorded)}/reversals", {"reason": recorded.reason}


def _increment(recorded: IncrementPayment, ids: Ids, _shift_ms: int) -> tuple[str, Body]:
    return f"/payments/{ids.payment(recorded)}/increment", {"amount": recorded.amount}


def _authenticate(recorded: AuthenticatePayment, ids: Ids, _shift_ms: int) -> tuple[str, Body]:
    body = {"event": f"authentication.{recorded.outcome}"}
    return f"/payments/{ids.payment(recorded)}/simulate", body


_CALLS: dict[type[ClientCommand], Callable[[Any, Ids, int], tuple[str, Body]]] = {
    CapturePayment: _capture,
    CancelPayment: _cancel,
    RefundPayment: _refund,
    CancelRefund: _cancel_refund,
    ReversePayment: _reverse,
    IncrementPayment: _increment,
    AuthenticatePayment: _authenticate,
}
