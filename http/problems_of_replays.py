"""What a replay of webhooks refuses.

Problem
├── TooManyReplays 400
├── EndpointDisabled 409
└── ReplayOver 409
"""

from __future__ import annotations

from headgate.http.problems import Problem


class TooManyReplays(Problem):
    """The merchant has as many replays of this mode under way or paused as it may have."""

    status, code, title = 400, "too_many_webhook_replays", "Too many webhook replays"
    remedy = "Wait until one of them is completed, or cancel one."
    sample = "20 test replays are under way or paused; wait for one of them, or cancel it."


class EndpointDisabled(Problem):
    """The webhook endpoint is disabled, so nothing can be sent to it."""

    status, code, title = 409, "webhook_endpoint_disabled", "Webhook endpoint disabled"
    remedy = "Enable the endpoint, then send the request again."
    sample, sample_param = "The webhook endpoint whe_a1 is disabled.", "endpoint_id"


class ReplayOver(Problem):
    """A replay that is completed or canceled cannot be paused, resumed or canceled."""

    status, code, title = 409, "webhook_replay_over", "Webhook replay over"
    remedy = "Make a new replay of the range that is still wanted."
    sample = "The replay rpl_a1 is completed."
