"""What the OpenAPI document says about the portal."""

from __future__ import annotations

from headgate.http.openapi_operation import API, Operation
from headgate.http.portal_links import PortalLinkAnswer, PortalLinkRequest
from headgate.http.problems_of_services import OutcomeUnknown

PORTAL = (
    Operation(
        "post", f"{API}/portal_links", "createPortalLink",
        "Make an address that shows endpoints and deliveries, for a frame or a browser",
        {201: PortalLinkAnswer}, (OutcomeUnknown,), PortalLinkRequest,
        {"access": "full", "expires_in": 3600}, may_be_empty=True, scope="webhooks:read",
    ),
)  # fmt: skip
