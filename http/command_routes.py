"""The routes that make commands."""

from __future__ import annotations

from starlette.routing import Route

from headgate.http.openapi_operation import API
from headgate.http.payment_commands import PaymentCommands
from headgate.http.payment_creation import PaymentCreation
from headgate.http.refunding import Refunding
from headgate.http.routing import at
from headgate.http.services import Services
from headgate.http.simulating import Simulating

PAYMENT = f"{API}/payments/{{id}}"


def command_routes(services: Services) -> list[Route]:
    """All of them; creates stand first, since every payment begins with one."""
    settings, acceptance = services.settings, services.acceptance
    creation = PaymentCreation(
        settings, acceptance, services.creator, services.claims, services.decisions
    )
    commands = PaymentCommands(acceptance)
    refunding = Refunding(acceptance, services.postgres)
    simulating = Simulating(settings, acceptance)
    return [
        at(f"{API}/payments", POST=creation.create),
        at(f"{PAYMENT}/capture", POST=commands.capture),
        at(f"{PAYMENT}/cancel", POST=commands.cancel),
        at(f"{PAYMENT}/void", POST=commands.cancel),
        at(f"{PAYMENT}/refunds", POST=refunding.refund),
        at(f"{PAYMENT}/reversals", POST=commands.reverse),
        at(f"{PAYMENT}/increment", POST=commands.increment),
        at(f"{PAYMENT}/simulate", POST=simulating.simulate),
        at(f"{PAYMENT}/resolve", POST=commands.resolve),
        at(f"{PAYMENT}/inquire", POST=commands.inquire),
        at(f"{API}/refunds/{{id}}/cancel", POST=refunding.cancel),
    ]
