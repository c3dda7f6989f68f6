"""What the OpenAPI document says about replays of webhooks."""

from __future__ import annotations

from headgate.http.openapi_operation import API, Operation
from headgate.http.openapi_parameters import PAGE
from headgate.http.problems_of_replays import EndpointDisabled, ReplayOver, TooManyReplays
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.replay_schemas import ReplayAnswer, ReplayList, ReplayRequest

_REPLAYS = f"{API}/webhook_replays"
_REPLAY = f"{_REPLAYS}/{{id}}"

REPLAYS = (
    Operation(
        "post", _REPLAYS, "createWebhookReplay", "Send past events to an endpoint again",
        {201: ReplayAnswer}, (ResourceMissing, EndpointDisabled, TooManyReplays), ReplayRequest,
        {"endpoint_id": "whe_a1b2c3", "from": "2026-11-20T00:00:00Z", "only": "failed"},
        repeatable=True, scope="webhooks:write",
    ),
    Operation(
        "get", _REPLAYS, "listWebhookReplays", "List replays, newest first", {200: ReplayList},
        query=("replay_status", "endpoint_id", *PAGE), scope="webhooks:read",
    ),
    Operation(
        "get", _REPLAY, "getWebhookReplay", "Look up a replay, and how far it is",
        {200: ReplayAnswer}, scope="webhooks:read",
    ),
    Operation(
        "post", f"{_REPLAY}/pause", "pauseWebhookReplay",
        "Send nothing more until the replay is resumed", {200: ReplayAnswer},
        (ReplayOver, OutcomeUnknown), scope="webhooks:write",
    ),
    Operation(
        "post", f"{_REPLAY}/resume", "resumeWebhookReplay", "Go on where the replay was paused",
        {200: ReplayAnswer}, (EndpointDisabled, ReplayOver, OutcomeUnknown),
        scope="webhooks:write",
    ),
    Operation(
        "delete", _REPLAY, "cancelWebhookReplay",
        "End a replay for good; what was sent goes on by its schedule", {200: ReplayAnswer},
        (ReplayOver, OutcomeUnknown), scope="webhooks:write",
    ),
)  # fmt: skip
