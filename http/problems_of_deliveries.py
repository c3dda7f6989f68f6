"""What a webhook delivery refuses.

Problem
└── DeliveryRefused 409        WebhookDeliveryOver, WebhookDeliveryNotFirst
"""

from __future__ import annotations

from headgate.http.problems import Problem


class DeliveryRefused(Problem):
    """The delivery is in no state for this."""

    status = 409


class WebhookDeliveryOver(DeliveryRefused):
    """The delivery has ended, and this cannot change it."""

    code, title = "webhook_delivery_over", "Webhook delivery over"
    remedy = (
        "Look at the delivery's `status`. To send its event once more, ask for an attempt of a "
        "delivery that failed, or replay the event, which makes a delivery of its own."
    )
    sample = "The delivery has arrived; there is nothing to cancel."


class WebhookDeliveryNotFirst(DeliveryRefused):
    """The endpoint takes its deliveries in order, and another one must go before this one."""

    code, title = "webhook_delivery_not_first", "Another delivery goes first"
    remedy = (
        "Ask for an attempt of the delivery that `detail` names, cancel it, or change the "
        "endpoint so that it takes its deliveries in any order."
    )
    sample = "The endpoint takes its deliveries in order; dlv_a3k5q2m7x4n6p3s5t2u4v6w7y2 is first."
