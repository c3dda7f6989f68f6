"""`POST /payments/{id}/capture`, `/cancel`, `/reversals`, `/increment`, and the operators'
`/resolve` and `/inquire`: what is asked of a payment is answered with what was decided about it."""

from __future__ import annotations

from typing import TypeVar

from starlette.responses import Response

from headgate.http.acceptance import Acceptance
from headgate.http.askers import Asker
from headgate.http.commanding import Wanted
from headgate.http.exchange import Exchange
from headgate.http.schemas import Asked
from headgate.http.schemas_of_commands import (
    CancelRequest,
    CaptureRequest,
    IncrementRequest,
    InquireRequest,
    ResolveRequest,
    ReversalRequest,
)
from headgate.http.submission import said
from headgate.http.validation import body_as
from headgate.streams.commands import (
    CancelPayment,
    CapturePayment,
    ClientCommand,
    IncrementPayment,
    InquirePayment,
    ResolvePayment,
    ReversePayment,
)
from headgate.tables.scopes import Scope

PAYMENT = "POST /api/v1/payments/{id}"
Model = TypeVar("Model", bound=Asked)


def wanted(exchange: Exchange, model: type[ClientCommand], route: str, asked: Asked) -> Wanted:
    """A command of the payment in the path; the body's members are the command's."""
    payment_id = exchange.path("id")
    members = {name: getattr(asked, name) for name in type(asked).model_fields}
    parts = {"id": payment_id}
    return Wanted(model, payment_id, f"{PAYMENT}{route}", parts, said(asked), members)


class PaymentCommands:
    """The commands whose bodies are their members."""

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance

    async def capture(self, exchange: Exchange) -> Response:
        """Take held money."""
        asker, asked = await self._asked(exchange, "payments:write", CaptureRequest)
        return await self._take(exchange, asker, CapturePayment, "/capture", asked)

    async def cancel(self, exchange: Exchange) -> Response:
        """Give back what is held. `/void` is another name of it: one key, one cancel on both."""
        asker, asked = await self._asked(exchange, "payments:write", CancelRequest)
        return await self._take(exchange, asker, CancelPayment, "/cancel", asked)

    async def reverse(self, exchange: Exchange) -> Response:
        """Cancel or refund, whichever applies."""
        asker, asked = await self._asked(exchange, "refunds:write", ReversalRequest)
        return await self._take(exchange, asker, ReversePayment, "/reversals", asked)

    async def increment(self, exchange: Exchange) -> Response:
        """Hold more."""
        asker, asked = await self._asked(
            exchange, "payments:write", IncrementRequest, may_be_empty=False
        )
        return await self._take(exchange, asker, IncrementPayment, "/increment", asked)

    async def resolve(self, exchange: Exchange) -> Response:
        """Say, with evidence, how something ended that the bank left in doubt (08 R23). Who did
        is kept with the operation."""
        asker, asked = await self._asked(exchange, "operator", ResolveRequest, may_be_empty=False)
        return await self._take(exchange, asker, ResolvePayment, "/resolve", asked)

    async def inquire(self, exchange: Exchange) -> Response:
        """Ask the bank now about something in doubt. Why, and who did, is kept with the
        operation."""
        asker, asked = await self._asked(exchange, "operator", InquireRequest, may_be_empty=False)
        return await self._take(exchange, asker, InquirePayment, "/inquire", asked)

    async def _asked(
        self, exchange: Exchange, scope: Scope, model: type[Model], *, may_be_empty: bool = True
    ) -> tuple[Asker, Model]:
        asker = await self._acceptance.askers.of(exchange, scope)
        return asker, body_as(model, exchange, asker.api_key, may_be_empty=may_be_empty)

    async def _take(
        self,
        exchange: Exchange,
        asker: Asker,
        model: type[ClientCommand],
        route: str,
        asked: Asked,
    ) -> Response:
        command = wanted(exchange, model, route, asked)
        return await self._acceptance.take(exchange, asker, command)
