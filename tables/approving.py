"""What a payment does on the way to its approval, and when an approval must not stand."""

from __future__ import annotations

from typing import Any

from headgate.streams import ids
from headgate.streams.commands import AcquirerAnswer
from headgate.tables import requests
from headgate.tables.children import Cause, Child
from headgate.tables.moving import made
from headgate.tables.payment import Payment
from headgate.tables.story import Change, Changes, Story, What


def authorize(story: Story, _what: What) -> Changes:
    """Ask the bank for the money."""
    story.ask(requests.authorize(story.payment))
    return {}


def challenge(story: Story, what: What) -> Changes:
    """The customer has a while; what happens in the bank's own app, the bank has to be asked."""
    payment = story.payment
    window_ms = (payment.expires_in_s or 0) * 1000 or requests.ACTION_WINDOW_MS
    expires_at_ms = story.at_ms + window_ms
    story.ask(requests.timer(payment, "action", story.cause), expires_at_ms)
    look = what.look if isinstance(what, AcquirerAnswer) else 0
    if payment.method == "upi" and look < len(requests.INQUIRY_DELAYS_MS):
        due_ms = story.at_ms + requests.INQUIRY_DELAYS_MS[look]
        story.ask(requests.inquire(payment, look + 1), due_ms)
    return {"payment.requires_action": Change({"expires_at_ms": expires_at_ms})}


def authorize_again(story: Story, _what: What) -> Changes:
    """Ask the bank again, now that the customer is back: a new attempt."""
    attempt_id = ids.attempt_id(story.cause, 1)
    story.change(attempt_id=attempt_id, expires_at_ms=None, authenticated=True)
    story.ask(requests.authorize(story.payment))
    return {}


def approve(story: Story, what: What) -> Changes:
    """Take in what the bank approved, and set the timers of a hold."""
    assert isinstance(what, AcquirerAnswer)  # noqa: S101  only answers approve
    members = {
        "amount_authorized": what.amount,
        "acquirer_reference": what.reference,
        "error_code": None,
        "error_description": None,
        "decline_code": None,
        "advice_code": None,
    }
    if story.payment.capture_method == "automatic":
        return {
            "payment.authorized": Change({**members, "expires_at_ms": None}),
            "payment.captured": Change({"amount_captured": what.amount}),
        }
    return {"payment.authorized": Change({**members, "expires_at_ms": _hold(story)})}


def _hold(story: Story) -> int:
    """Set the timers of held money; when the hold ends."""
    payment, ends_at_ms = story.payment, story.at_ms + requests.HOLD_WINDOW_MS
    story.ask(requests.timer(payment, "hold", story.cause), ends_at_ms)
    if payment.capture_at_ms is not None:
        due_ms = max(payment.capture_at_ms, story.at_ms)
        story.ask(requests.timer(payment, "capture", story.cause), due_ms)
    return ends_at_ms


def _failure(decline_code: str | None, advice_code: str | None) -> dict[str, Any]:
    """How a failed payment shows it; code and words are the seed's."""
    return {
        "error_code": "PAYMENT_FAILED",
        "error_description": "Bank rejected transaction",
        "decline_code": decline_code,
        "advice_code": advice_code,
        "expires_at_ms": None,
    }


def fail(story: Story, what: What) -> Changes:
    """Say why it failed: in the bank's words, or that the customer did not prove who they are."""
    if isinstance(what, AcquirerAnswer):
        members = _failure(what.decline_code, what.advice_code)
        return {"payment.failed": Change({**members, "acquirer_reference": what.reference})}
    timed_out = story.payment.method == "upi"
    code = "upi_collect_expired" if timed_out else "authentication_failed"
    return {"payment.failed": Change(_failure(code, "try_again_later"))}


def look_again(story: Story, what: What) -> Changes:
    """Never a blind second charge: the bank is asked what became of the first one."""
    assert isinstance(what, AcquirerAnswer)  # noqa: S101  only answers leave doubt
    due_ms = story.at_ms + requests.INQUIRY_DELAYS_MS[what.look]
    story.ask(requests.inquire(story.payment, what.look + 1), due_ms)
    return {}


def request_cancel(_story: Story, _what: What) -> Changes:
    """Remember that an approval must be reversed."""
    return {"payment.cancel_requested": Change({"cancel_requested": True})}


def reverse(story: Story, what: What) -> Changes:
    """Undo the attempt at the bank. What failed for it says so: a part was not enough, or the
    bank could not tell."""
    assert isinstance(what, AcquirerAnswer)  # noqa: S101  only answers are reversed
    cause = _why_reversed(story.payment, what)
    child = made(story, "reversal", what.amount, cause)
    code = "partial_approval" if cause == "partial_approval" else "issuer_unavailable"
    return {
        "payment.failed": Change(_failure(code, "try_again_later")),
        "reversal.created": Change(child=child),
    }


def _why_reversed(payment: Payment, answer: AcquirerAnswer) -> Cause:
    if payment.state in ("failed", "canceled", "expired"):
        return "late_approval"
    if payment.cancel_requested and answer.outcome == "approved":
        return "cancel"
    return "window_end" if answer.outcome == "unknown" else "partial_approval"


def stand(story: Story, what: What) -> Changes:
    """An approval that could not be reversed is what it is."""
    assert isinstance(what, Child)  # noqa: S101  only a reversal can fail to reverse
    members = {"amount_authorized": what.amount, "expires_at_ms": None}
    if story.payment.capture_method == "manual":
        members["expires_at_ms"] = _hold(story)
    return {
        "payment.authorized": Change(members),
        "payment.captured": Change({"amount_captured": what.amount}),
    }
