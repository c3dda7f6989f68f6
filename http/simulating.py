"""`POST /payments/{id}/simulate`: in test mode, what the customer or the bank does now."""

from __future__ import annotations

from starlette.responses import Response

from headgate.http import answered
from headgate.http.acceptance import Acceptance
from headgate.http.askers import Asker, echoing
from headgate.http.commanding import Wanted
from headgate.http.exchange import Exchange, Preference
from headgate.http.payment_commands import PAYMENT
from headgate.http.problems_of_access import LivemodeMismatch
from headgate.http.schemas_of_commands import SimulateRequest
from headgate.http.submission import Submission, fingerprint_of, record_of, said
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.clock import now_ms
from headgate.streams.commands import AcquirerAnswer, AuthenticatePayment
from headgate.streams.settings import Settings
from headgate.tables.payments import Payment

ROUTE = f"{PAYMENT}/simulate"
_AUTHENTICATED = "authentication."
CALLBACK = 100
"""The number of a call back that the simulator itself never makes."""


class Simulating:
    """Test mode only."""

    def __init__(self, settings: Settings, acceptance: Acceptance) -> None:
        self._settings = settings
        self._acceptance = acceptance

    async def simulate(self, exchange: Exchange) -> Response:
        """The customer comes back and is answered with the decision; a bank that approves late
        is taken note of (202)."""
        asker = await self._acceptance.askers.of(exchange, "test:write")
        if asker.api_key.mode != "test":
            raise LivemodeMismatch("This is possible in test mode only; this is a live key.")
        asked = body_as(SimulateRequest, exchange, asker.api_key)
        if not asked.event.startswith(_AUTHENTICATED):
            return await self._approve(exchange, asker, asked)
        payment_id = exchange.path("id")
        wanted = Wanted(
            model=AuthenticatePayment,
            payment_id=payment_id,
            route=ROUTE,
            parts={"id": payment_id},
            said=said(asked),
            members={"outcome": asked.event.removeprefix(_AUTHENTICATED)},
        )
        return await self._acceptance.take(exchange, asker, wanted)

    async def _approve(self, exchange: Exchange, asker: Asker, asked: SimulateRequest) -> Response:
        """The bank's approval, of its own accord and late."""
        payment_id = exchange.path("id")
        with echoing(asker.key):
            payment = await self._acceptance.existing.payment(payment_id, asker.api_key)
        answer = _approval(payment, asker.key.text)
        submission = Submission(
            command_id=answer.command_id,
            payment_id=payment_id,
            type=answer.type,
            request_id=exchange.request_id,
            key=asker.key,
            fingerprint=fingerprint_of(ROUTE, {"id": payment_id}, said(asked)),
            record=record_of(self._settings, answer, now_ms()),
        )
        outcome = await self._acceptance.accept(submission, 0)
        return answered.response(submission, outcome, Preference())


def _approval(payment: Payment, key: str) -> AcquirerAnswer:
    return AcquirerAnswer(
        command_id=ids.command_id(payment.id, "simulate.late_success", key),
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        attempt_id=payment.attempt_id,
        operation="authorize",
        callback=CALLBACK,
        outcome="approved",
        amount=payment.amount,
        reference=f"late_{payment.attempt_id[4:16]}",
    )
