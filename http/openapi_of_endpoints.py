"""What the OpenAPI document says about webhook endpoints."""

from __future__ import annotations

from headgate.http.answers import SettingsAnswer
from headgate.http.openapi_operation import API, Operation
from headgate.http.problems_of_access import RateLimited
from headgate.http.problems_of_replays import EndpointDisabled
from headgate.http.problems_of_requests import (
    ParameterInvalid,
    ParameterMissing,
    ResourceMissing,
    UrlForbidden,
)
from headgate.http.problems_of_services import LogAway, OutcomeUnknown
from headgate.http.problems_of_webhooks import (
    EndpointNotVerified,
    EndpointVerificationFailed,
    TooManyEndpointSecrets,
    TooManyWebhookEndpoints,
)
from headgate.http.schemas import SettingsRequest
from headgate.http.webhook_endpoint_schemas import (
    EnabledAnswer,
    EndpointAnswer,
    EndpointChangeRequest,
    EndpointList,
    EndpointRequest,
    NewSecretAnswer,
    RotateSecretRequest,
    WebhookTestAnswer,
)

_ALL = f"{API}/webhook_endpoints"
_ONE = f"{_ALL}/{{id}}"

ENDPOINTS = (
    Operation(
        "post", _ALL, "createWebhookEndpoint",
        "Make a webhook endpoint; its secret is shown once", {201: NewSecretAnswer},
        (TooManyWebhookEndpoints, UrlForbidden, RateLimited), EndpointRequest,
        {"url": "https://example.com/webhooks", "event_types": ["payment.success", "refund.*"]},
        repeatable=True, scope="webhooks:write",
    ),
    Operation(
        "get", _ALL, "listWebhookEndpoints", "List webhook endpoints, newest first",
        {200: EndpointList}, query=("limit", "starting_after"), scope="webhooks:read",
    ),
    Operation(
        "get", _ONE, "getWebhookEndpoint", "Look up a webhook endpoint, also a deleted one",
        {200: EndpointAnswer}, scope="webhooks:read",
    ),
    Operation(
        "patch", _ONE, "updateWebhookEndpoint",
        "Change a webhook endpoint; what is left out stays as it is", {200: EndpointAnswer},
        (ParameterMissing, ParameterInvalid, UrlForbidden, OutcomeUnknown),
        EndpointChangeRequest, {"rate_per_s": 20}, scope="webhooks:write",
    ),
    Operation(
        "delete", _ONE, "deleteWebhookEndpoint",
        "Delete a webhook endpoint for ever; what is under way is canceled",
        {200: EndpointAnswer}, (OutcomeUnknown,), scope="webhooks:write",
    ),
    Operation(
        "post", f"{_ONE}/rotate_secret", "rotateWebhookSecret",
        "Give it a new secret; the old ones sign beside it until the overlap ends",
        {201: NewSecretAnswer}, (TooManyEndpointSecrets,), RotateSecretRequest,
        {"overlap_s": 3600}, may_be_empty=True, repeatable=True, scope="webhooks:write",
    ),
    Operation(
        "post", f"{_ONE}/test", "testWebhookEndpoint",
        "Send the event `webhook.test` to this endpoint alone", {202: WebhookTestAnswer},
        (EndpointDisabled, LogAway), repeatable=True, scope="webhooks:write",
    ),
    Operation(
        "post", f"{_ONE}/verify", "verifyWebhookEndpoint",
        "Ask the receiver whether it wants webhooks", {200: EndpointAnswer},
        (EndpointVerificationFailed, OutcomeUnknown), scope="webhooks:write",
    ),
    Operation(
        "post", f"{_ONE}/enable", "enableWebhookEndpoint",
        "Send events there again, those that wait first", {200: EnabledAnswer},
        (EndpointNotVerified, OutcomeUnknown), scope="webhooks:write",
    ),
    Operation(
        "post", f"{_ONE}/disable", "disableWebhookEndpoint",
        "Send nothing there until it is enabled again", {200: EndpointAnswer},
        (OutcomeUnknown,), scope="webhooks:write",
    ),
    Operation(
        "patch", f"{API}/merchant/webhook", "updateMerchantWebhook",
        "The same as `PUT /webhooks/settings`", {200: SettingsAnswer},
        (UrlForbidden,), SettingsRequest, {"webhookUrl": "https://example.com/webhooks"},
        scope="webhooks:write",
    ),
    Operation(
        "post", f"{API}/merchant/webhook/regenerate", "regenerateMerchantWebhookSecret",
        "Rotate the secret of the default endpoint", {201: NewSecretAnswer},
        (TooManyEndpointSecrets, ResourceMissing), RotateSecretRequest, {"overlap_s": 3600},
        may_be_empty=True, repeatable=True, scope="webhooks:write",
    ),
    Operation(
        "post", f"{API}/merchant/webhook/test", "testMerchantWebhook",
        "Send the event `webhook.test` to the default endpoint", {202: WebhookTestAnswer},
        (EndpointDisabled, LogAway, ResourceMissing), repeatable=True, scope="webhooks:write",
    ),
)  # fmt: skip
