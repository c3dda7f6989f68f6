"""`POST /api/v1/payments`: take a payment."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.responses import Response

from headgate.http import answered
from headgate.http.acceptance import Acceptance
from headgate.http.askers import Asker
from headgate.http.claims import Claims
from headgate.http.creating import Creator, time_problem
from headgate.http.decisions import Decisions
from headgate.http.exchange import Exchange, Preference
from headgate.http.handoff import Accepted
from headgate.http.problems_of_payments import PaymentDeclined
from headgate.http.schemas import PaymentRequest
from headgate.http.submission import Answer, Submission
from headgate.http.validation import body_as
from headgate.streams.clock import now_ms
from headgate.streams.errors import CacheUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.payments import Payment

SEED_REQUIRED = ("amount", "method", "order_id")


class PaymentCreation:
    """Answers at once with what was taken, or with what became of it when that is waited for."""

    def __init__(
        self,
        settings: Settings,
        acceptance: Acceptance,
        creator: Creator,
        claims: Claims,
        decisions: Decisions,
    ) -> None:
        self._wait_ms = settings.read_wait_ms
        self._acceptance = acceptance
        self._creator = creator
        self._claims = claims
        self._decisions = decisions

    async def create(self, exchange: Exchange) -> Response:
        """Take a payment. The key, also one drawn here, comes back with every outcome (08 R15)."""
        began = time.perf_counter()
        asker = await self._acceptance.askers.of(exchange, "payments:write")
        submission = await self._submission(exchange, asker)
        exchange.is_about(submission.payment_id)
        preference = exchange.preference()
        outcome = await self._acceptance.accept(submission, preference.wait_ms)
        self._acceptance.metrics.accept_s.observe(time.perf_counter() - began)
        if isinstance(outcome, Accepted):
            whose = (asker.api_key.merchant_id, asker.api_key.mode)
            self._acceptance.existing.know(submission.payment_id, whose)
        if preference.wait_ms and isinstance(outcome, Accepted):
            left_ms = preference.wait_ms - round(1000 * (time.perf_counter() - began))
            return await self._final(submission, outcome, preference, left_ms)
        return answered.response(submission, outcome, preference)

    async def _submission(self, exchange: Exchange, asker: Asker) -> Submission:
        asked = body_as(PaymentRequest, exchange, asker.api_key, seed_required=SEED_REQUIRED)
        at_ms = now_ms()
        submission = self._creator.submission(
            asked, asker.api_key, asker.key, exchange.request_id, at_ms
        )
        problem = time_problem(asked, at_ms)
        if problem is not None and not await self._is_repeat(submission):
            raise problem
        return submission

    async def _is_repeat(self, submission: Submission) -> bool:
        """Whether this very request was taken before."""
        if not submission.keyed:
            return False
        try:
            [known] = await self._claims.fields(submission.key.id, ["fingerprint"])
        except CacheUnavailable:
            known = None
        if known is None:
            uses = await self._decisions.uses_of(submission.key.id, self._wait_ms)
            known = (uses[0].fingerprint or "").encode() if uses else None
        return known == submission.fingerprint.encode()

    async def _final(
        self, submission: Submission, outcome: Accepted, preference: Preference, left_ms: int
    ) -> Response:
        """The payment at its end, or as it was taken when that did not come in time. Repeats
        without `Prefer` hear what was taken."""
        payment = await self._ended(submission.payment_id, left_ms)
        if payment is None:
            return answered.response(submission, outcome, preference)
        body = payment.snapshot().model_dump_json().encode()
        final = outcome._replace(answer=Answer(201, body, outcome.answer.request_id))
        response = answered.response(submission, final, preference)
        if payment.status == "failed":
            raise _declined(payment, response.headers)
        return response

    async def _ended(self, payment_id: str, wait_ms: int) -> Payment | None:
        try:
            return await self._decisions.final(payment_id, max(0, wait_ms))
        except StoreUnavailable:
            return None


def _declined(payment: Payment, headers: Mapping[str, str]) -> PaymentDeclined:
    why = payment.decline_code or payment.error_description or "no reason was given"
    problem = PaymentDeclined(
        f"The payment was declined: {why}.",
        payment_id=payment.id,
        decline_code=payment.decline_code,
        advice_code=payment.advice_code,
    )
    told = ("idempotency-key", "log-position", "preference-applied", "idempotent-replayed",
            "original-request-id")  # fmt: skip
    problem.headers.update({name: headers[name] for name in told if name in headers})
    return problem
