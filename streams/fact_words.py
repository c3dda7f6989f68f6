"""What every fact means, for those who follow them; the page of events is made from this."""

from __future__ import annotations

from headgate.streams.facts import FactType

SEED_TYPES: tuple[FactType, ...] = ("payment.success", "payment.failed", "refund.processed")
"""The events that the seed has; `PUT /webhooks/settings` subscribes to these."""

FACTS_IN_WORDS: dict[FactType, str] = {
    "payment.created": "The payment was taken. Nothing has been asked of a bank.",
    "payment.pending": "The payment waits for its outcome.",
    "payment.processing": "The bank was asked to authorise. There is nothing left to cancel.",
    "payment.requires_action": "The bank asks the customer first: 3-D Secure, or a UPI collect.",
    "payment.authorized": "The bank holds the money for this payment.",
    "payment.amount_capturable_updated": "What can still be captured has changed.",
    "payment.partially_captured": "A part was captured, and more can be.",
    "payment.captured": "All that will be captured is captured.",
    "payment.success": "The bank approved: deliver. The seed's word.",
    "payment.failed": "The payment has failed; `decline_code` and `advice_code` say why and what "
    "helps.",
    "payment.in_doubt": "The bank did not answer. It is asked again until it is known.",
    "payment.cancel_requested": "Asked to cancel while the bank had not answered: an approval will "
    "be reversed.",
    "payment.canceled": "Canceled; what was held is released.",
    "payment.expired": "The hold ended before everything was captured.",
    "payment.late_authorized": "The bank approved after the payment had failed.",
    "payment.reversal_sent": "The bank was asked to take its approval back.",
    "capture.created": "A capture was asked for. Its amount is reserved.",
    "capture.succeeded": "The bank captured it.",
    "capture.failed": "The bank refused the capture. Its amount can be captured again.",
    "capture.in_doubt": "The bank did not answer about the capture. It is asked again.",
    "capture.needs_review": "The bank could not tell about the capture: an operator resolves it.",
    "void.created": "A release of held money was asked for. Its amount is reserved.",
    "void.succeeded": "The bank released it.",
    "void.failed": "The bank refused the release.",
    "void.in_doubt": "The bank did not answer about the release. It is asked again.",
    "void.needs_review": "The bank could not tell about the release: an operator resolves it.",
    "refund.created": "A refund was asked for. Its amount is reserved.",
    "refund.submitted": "The bank was asked to refund. It can no longer be canceled.",
    "refund.processed": "The bank refunded it. The seed's word.",
    "refund.failed": "The bank refused the refund, or returned it later. Its amount can be "
    "refunded again.",
    "refund.canceled": "The refund was canceled before the bank was asked.",
    "refund.in_doubt": "The bank did not answer about the refund. It is asked again.",
    "refund.needs_review": "The bank could not tell about the refund: an operator resolves it.",
    "reversal.created": "An approval that must not stand is being taken back.",
    "reversal.succeeded": "The bank took it back.",
    "reversal.failed": "The bank refused to take it back.",
    "reversal.in_doubt": "The bank did not answer about the reversal. It is asked again.",
    "reversal.needs_review": "Money that must go back did not: an operator resolves it.",
    "increment.created": "A larger hold was asked for.",
    "increment.succeeded": "The bank holds more.",
    "increment.failed": "The bank refused to hold more; the hold is as it was.",
    "increment.in_doubt": "The bank did not answer about the larger hold. It is asked again.",
    "increment.needs_review": "The bank could not tell about the larger hold: an operator resolves "
    "it.",
}
"""The meaning of each type."""
