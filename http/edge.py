"""The edge: every route of the REST API in one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from headgate.http.api_keys import ApiKeys
from headgate.http.checkout_routes import checkout_routes
from headgate.http.children_reading import ChildrenReading
from headgate.http.command_routes import command_routes
from headgate.http.contracts import Contracts
from headgate.http.delivery_commands import DeliveryCommands
from headgate.http.error_pages import ErrorPages
from headgate.http.gate import Gate
from headgate.http.health import Health, JobsStatus
from headgate.http.idempotency_keys import IdempotencyKeys
from headgate.http.merchant import MerchantResource
from headgate.http.openapi import Document
from headgate.http.openapi_operation import API
from headgate.http.operations import Operations
from headgate.http.payment_reading import PaymentReading
from headgate.http.routing import at, joined, nowhere
from headgate.http.services import Services
from headgate.http.simulated_bank import SimulatedBank
from headgate.http.timeline import Timeline
from headgate.http.webhook_deliveries import WebhookDeliveries
from headgate.http.webhook_endpoint_routes import endpoint_routes
from headgate.http.webhook_keys import WebhookKeys
from headgate.http.webhook_replays import WebhookReplays
from headgate.http.webhooks import Webhooks
from headgate.streams.settings import Settings


def create_app(settings: Settings) -> Starlette:
    """The edge for these settings. Raises SecretUnreadable without a usable secret key; every
    other lack is waited for in the background (00 A4)."""
    services = Services(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        await services.start()
        try:
            yield
        finally:
            await services.stop()

    gate = Middleware(
        Gate,
        settings=settings,
        metrics=services.metrics,
        request_log=services.request_log,
    )
    app = Starlette(routes=routes(services), middleware=[gate], lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = nowhere
    app.state.services = services
    return app


def routes(services: Services) -> list[Route]:
    """Every route. What a payment needs most often stands first: routes are tried in order."""
    return joined(
        command_routes(services),
        _of_payments(services),
        _of_events(services),
        endpoint_routes(services),
        checkout_routes(services),
        _of_the_merchant(services),
        _of_deliveries(services),
        _of_replays(services),
        _of_the_service(services),
    )


def _of_the_merchant(services: Services) -> list[Route]:
    settings, postgres = services.settings, services.postgres
    authenticator, configuration = services.authenticator, services.configuration
    webhooks = Webhooks(settings, authenticator, postgres, services.box)
    keys = ApiKeys(settings, authenticator, postgres, configuration)
    merchant = MerchantResource(settings, authenticator, postgres, configuration)
    return [
        at(f"{API}/webhooks", GET=webhooks.listed),
        at(f"{API}/api_keys", GET=keys.listed, POST=keys.create),
        at(f"{API}/api_keys/{{id}}", GET=keys.show, DELETE=keys.revoke),
        at(f"{API}/api_keys/{{id}}/rotate", POST=keys.rotate),
        at(f"{API}/merchant", GET=merchant.show, PATCH=merchant.change),
        at(f"{API}/test/merchant", GET=merchant.demo),
    ]


def _of_deliveries(services: Services) -> list[Route]:
    settings, postgres = services.settings, services.postgres
    authenticator = services.authenticator
    reading = WebhookDeliveries(settings, authenticator, services.consistency, postgres)
    commands = DeliveryCommands(
        settings, authenticator, postgres, services.bus, services.configuration
    )
    delivery = f"{API}/webhook_deliveries/{{id}}"
    return [
        at(f"{API}/webhooks/{{id}}/retry", POST=commands.seed_retry),
        at(f"{API}/webhook_deliveries", GET=reading.listed),
        at(delivery, GET=reading.show),
        at(f"{delivery}/attempts", GET=reading.attempts),
        at(f"{delivery}/retry", POST=commands.retry),
        at(f"{delivery}/cancel", POST=commands.cancel),
    ]


def _of_replays(services: Services) -> list[Route]:
    replays = WebhookReplays(
        services.settings,
        services.authenticator,
        services.consistency,
        services.postgres,
        services.configuration,
    )
    return [
        at(f"{API}/webhook_replays", GET=replays.listed, POST=replays.create),
        at(f"{API}/webhook_replays/{{id}}", GET=replays.show, DELETE=replays.changing("cancel")),
        at(f"{API}/webhook_replays/{{id}}/pause", POST=replays.changing("pause")),
        at(f"{API}/webhook_replays/{{id}}/resume", POST=replays.changing("resume")),
    ]


def _of_payments(services: Services) -> list[Route]:
    settings, authenticator = services.settings, services.authenticator
    read = (settings, authenticator, services.consistency, services.finder, services.postgres)
    reading, children, timeline = PaymentReading(*read), ChildrenReading(*read), Timeline(*read)
    operations = Operations(settings, authenticator, services.decisions, services.pending)
    used_keys = IdempotencyKeys(settings, authenticator, services.claims, services.decisions)
    payment = f"{API}/payments/{{id}}"
    return [
        at(f"{API}/payments", GET=reading.listed),
        at(f"{API}/payments/search", GET=reading.search),
        at(payment, GET=reading.show),
        at(f"{payment}/captures", GET=children.of_payment("capture")),
        at(f"{payment}/voids", GET=children.of_payment("void")),
        at(f"{payment}/refunds", GET=children.of_payment("refund")),
        at(f"{payment}/reversals", GET=children.of_payment("reversal")),
        at(f"{payment}/increments", GET=children.of_payment("increment")),
        at(f"{payment}/timeline", GET=timeline.show),
        at(f"{API}/captures/{{id}}", GET=children.one("capture")),
        at(f"{API}/refunds", GET=children.refunds),
        at(f"{API}/refunds/{{id}}", GET=children.one("refund")),
        at(f"{API}/operations/{{id}}", GET=operations.show),
        at(f"{API}/idempotency_keys/{{key}}", "key", GET=used_keys.show),
    ]


def _of_events(services: Services) -> list[Route]:
    events = services.events
    return [
        at(f"{API}/events", GET=events.listed),
        at(f"{API}/events/stream", GET=events.stream),
        at(f"{API}/events/{{id}}", GET=events.show),
    ]


def _of_the_service(services: Services) -> list[Route]:
    settings, postgres = services.settings, services.postgres
    health = Health(settings, services.bus, services.cache, postgres, services.metrics)
    jobs = JobsStatus(settings, postgres, services.decisions, services.claims)
    bank = SimulatedBank(settings, services.authenticator, postgres, services.configuration)
    errors, contracts = ErrorPages(), Contracts(settings)
    keys = WebhookKeys(services.configuration, services.box)
    return [
        at(f"{API}/test/jobs/status", GET=jobs.show),
        at(f"{API}/test/acquirer", GET=bank.show, PUT=bank.put, DELETE=bank.reset),
        at("/.well-known/webhook-keys/{endpoint}", "endpoint", GET=keys.show),
        at("/errors", GET=errors.listed),
        at("/errors/{code}", GET=errors.show),
        at("/health", GET=health.health),
        at("/health/live", GET=health.live),
        at("/health/ready", GET=health.ready),
        at("/metrics", GET=health.metrics),
        at("/openapi.json", GET=Document().show),
        at("/asyncapi.json", GET=contracts.asyncapi),
        at("/schemas/{name}", GET=contracts.schema),
    ]
