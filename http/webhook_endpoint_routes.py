"""The routes of webhook endpoints, and of the portal that shows them."""

from __future__ import annotations

from starlette.routing import Route

from headgate.http.openapi_operation import API
from headgate.http.portal_links import PortalLinks
from headgate.http.routing import at
from headgate.http.services import Services
from headgate.http.webhook_endpoint_access import API_ENDPOINTS, EndpointAccess
from headgate.http.webhook_endpoint_actions import EndpointActions
from headgate.http.webhook_endpoints import WebhookEndpoints
from headgate.http.webhook_settings import WebhookSettings
from headgate.http.webhook_test_event import WebhookTest
from headgate.http.webhook_verification import Verifier


def endpoint_routes(services: Services) -> list[Route]:
    """Those of endpoints, and of the default one, which the seed calls settings."""
    settings = services.settings
    access = EndpointAccess(
        settings,
        services.authenticator,
        services.postgres,
        services.configuration,
        services.box,
    )
    verifier = Verifier(settings, services.outbound)
    endpoints = WebhookEndpoints(settings, access, verifier)
    actions = EndpointActions(access, verifier, access.alive)
    of_default = EndpointActions(access, verifier, access.default)
    test = WebhookTest(settings, access, services.bus, access.alive)
    test_of_default = WebhookTest(settings, access, services.bus, access.default)
    seed = WebhookSettings(
        settings,
        services.authenticator,
        services.postgres,
        services.configuration,
        services.box,
        verifier,
    )
    portal = PortalLinks(settings, services.authenticator, services.postgres)
    one = f"{API_ENDPOINTS}/{{id}}"
    return [
        at(f"{API}/webhooks/settings", PUT=seed.put),
        at(f"{API}/merchant/webhook", PATCH=seed.put),
        at(f"{API}/merchant/webhook/regenerate", POST=of_default.rotate_secret),
        at(f"{API}/merchant/webhook/test", POST=test_of_default.send),
        at(API_ENDPOINTS, GET=endpoints.listed, POST=endpoints.create),
        at(one, GET=endpoints.show, PATCH=endpoints.change, DELETE=endpoints.delete),
        at(f"{one}/rotate_secret", POST=actions.rotate_secret),
        at(f"{one}/test", POST=test.send),
        at(f"{one}/verify", POST=actions.verify),
        at(f"{one}/enable", POST=actions.enable),
        at(f"{one}/disable", POST=actions.disable),
        at(f"{API}/portal_links", POST=portal.create),
    ]
