"""What the OpenAPI document says about webhooks."""

from __future__ import annotations

from headgate.http.answers import RetryAnswer, SettingsAnswer, WebhookList
from headgate.http.answers_of_deliveries import (
    WebhookAttemptList,
    WebhookDeliveryAnswer,
    WebhookDeliveryList,
)
from headgate.http.openapi_operation import API, Kinds, Operation
from headgate.http.openapi_parameters import CREATED, PAGE
from headgate.http.problems_of_deliveries import WebhookDeliveryNotFirst, WebhookDeliveryOver
from headgate.http.problems_of_replays import EndpointDisabled
from headgate.http.problems_of_requests import UrlForbidden
from headgate.http.problems_of_services import LogAway, OutcomeUnknown
from headgate.http.schemas import SettingsRequest
from headgate.http.webhook_deliveries import EXACT

_RETRY: Kinds = (
    LogAway,
    OutcomeUnknown,
    EndpointDisabled,
    WebhookDeliveryOver,
    WebhookDeliveryNotFirst,
)

WEBHOOKS = (
    Operation(
        "get", f"{API}/webhooks", "listWebhooks", "List webhook deliveries and their settings",
        {200: WebhookList}, query=("limit", "offset"), scope="webhooks:read",
    ),
    Operation(
        "put", f"{API}/webhooks/settings", "updateWebhookSettings",
        "Set where webhooks go; what is left out stays as it is", {200: SettingsAnswer},
        (UrlForbidden,), SettingsRequest, {"webhookUrl": "https://example.com/webhooks"},
        scope="webhooks:write",
    ),
    Operation(
        "post", f"{API}/webhooks/{{id}}/retry", "retryWebhook", "Attempt a delivery now",
        {200: RetryAnswer},
        _RETRY,
        scope="webhooks:write",
    ),
    Operation(
        "get", f"{API}/webhook_deliveries", "listWebhookDeliveries",
        "List webhook deliveries, newest first", {200: WebhookDeliveryList},
        query=(*PAGE, "delivery_status", *EXACT, *CREATED), scope="webhooks:read",
    ),
    Operation(
        "get", f"{API}/webhook_deliveries/{{id}}", "getWebhookDelivery",
        "Look up a webhook delivery", {200: WebhookDeliveryAnswer}, query=("expanded_attempts",),
        scope="webhooks:read",
    ),
    Operation(
        "get", f"{API}/webhook_deliveries/{{id}}/attempts", "listWebhookAttempts",
        "List the attempts of a webhook delivery, newest first", {200: WebhookAttemptList},
        query=PAGE, scope="webhooks:read",
    ),
    Operation(
        "post", f"{API}/webhook_deliveries/{{id}}/retry", "retryWebhookDelivery",
        "Ask for one more attempt, now", {202: WebhookDeliveryAnswer},
        _RETRY,
        repeatable=True, scope="webhooks:write",
    ),
    Operation(
        "post", f"{API}/webhook_deliveries/{{id}}/cancel", "cancelWebhookDelivery",
        "Ask that no attempt follow", {202: WebhookDeliveryAnswer},
        (LogAway, OutcomeUnknown, WebhookDeliveryOver), repeatable=True, scope="webhooks:write",
    ),
)  # fmt: skip
