"""What the OpenAPI document says about webhooks."""

from __future__ import annotations

from headgate.http.answers import RetryAnswer, SettingsAnswer, WebhookList
from headgate.http.openapi_operation import API, Operation
from headgate.http.problems_of_requests import UrlForbidden
from headgate.http.problems_of_services import LogAway, OutcomeUnknown
from headgate.http.schemas import SettingsRequest

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
        {200: RetryAnswer}, (LogAway, OutcomeUnknown), scope="webhooks:write",
    ),
)  # fmt: skip
