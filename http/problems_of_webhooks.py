"""What a webhook endpoint refuses.

Problem
└── EndpointRefused 400        TooManyWebhookEndpoints, TooManyEndpointSecrets,
                               EndpointNotVerified, EndpointVerificationFailed
"""

from __future__ import annotations

from headgate.http.problems import Problem


class EndpointRefused(Problem):
    """The webhook endpoint cannot be made or changed in this way."""

    status = 400


class TooManyWebhookEndpoints(EndpointRefused):
    """The merchant has as many endpoints of this mode as it may have, or made too many in a day."""

    code, title = "too_many_webhook_endpoints", "Too many webhook endpoints"
    remedy = "Delete an endpoint that nobody needs any more, or change one that there is."
    sample = "There are 20 test endpoints, as many as there may be; delete one first."


class TooManyEndpointSecrets(EndpointRefused):
    """Three secrets of the endpoint sign already: the overlaps of two rotations run."""

    code, title = "too_many_webhook_secrets", "Too many webhook secrets"
    remedy = "Wait until an overlap ends, or rotate with `overlap_s` 0, which ends all old secrets."
    sample = "3 secrets of whe_… sign already; wait for the end of an overlap."


class EndpointNotVerified(EndpointRefused):
    """Live webhooks are sent only to a receiver that has agreed to them, and this one has not."""

    code, title = "webhook_endpoint_unverified", "Webhook endpoint not verified"
    remedy = "Have the receiver answer OPTIONS with `WebHook-Allowed-Origin`, then `POST …/verify`."
    sample = "The receiver of whe_… has not agreed to live webhooks; verify it first."


class EndpointVerificationFailed(EndpointRefused):
    """The receiver was asked whether it wants webhooks, and did not agree; `detail` says why."""

    code, title = "webhook_verification_failed", "Webhook verification failed"
    remedy = "Have the receiver answer OPTIONS with `WebHook-Allowed-Origin`, then try again."
    sample = "The answer to OPTIONS has no WebHook-Allowed-Origin; send headgate or *."
