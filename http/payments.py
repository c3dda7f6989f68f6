"""`/api/v1/payments`: create, look up, list."""

from __future__ import annotations

import re
import time

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.creating import Creator, Submission
from headgate.http.exchange import Exchange
from headgate.http.handoff import Accepted, Handoff, Outcome, Undecided
from headgate.http.metrics import Metrics
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import (
    IdempotencyKeyMissing,
)
from headgate.http.routing import json_answer
from headgate.http.schemas import PaymentRequest
from headgate.http.validation import body_as
from headgate.streams.clock import now_ms
from headgate.tables.configuration import ApiKey, ConfigurationCopy

SEED_REQUIRED = ("amount", "method", "order_id")
PAYMENT_ID = re.compile(r"pay_[a-z2-7]{15}")


class PaymentCreation:
    """`POST /payments`."""

    def __init__(
        self,
        authenticator: Authenticator,
        configuration: ConfigurationCopy,
        creator: Creator,
        handoff: Handoff,
        metrics: Metrics,
    ) -> None:
        self._authenticator = authenticator
        self._configuration = configuration
        self._creator = creator
        self._handoff = handoff
        self._metrics = metrics

    async def create(self, exchange: Exchange) -> Response:
        """Take a payment. The key, also one drawn here, comes back with every outcome (08 R15)."""
        began = time.perf_counter()
        submission = await self._submission(exchange)
        try:
            outcome = await self._handoff.accept(submission)
        except Problem as problem:
            problem.headers["Idempotency-Key"] = submission.key
            raise
        self._metrics.accept_s.observe(time.perf_counter() - began)
        self._metrics.accepted.labels(_how(outcome)).inc()
        return _answered(submission, outcome)

    async def _submission(self, exchange: Exchange) -> Submission:
        api_key = await self._authenticator.key_of(exchange, "payments:write")
        key = exchange.idempotency_key()
        if key is None:
            self._check_keyless(api_key)
        asked = body_as(PaymentRequest, exchange, api_key, seed_required=SEED_REQUIRED)
        return self._creator.submission(asked, api_key, key, exchange.request_id, now_ms())

    def _check_keyless(self, api_key: ApiKey) -> None:
        merchant = self._configuration.now.merchants.get(api_key.merchant_id)
        if merchant is not None and merchant.require_keys:
            raise IdempotencyKeyMissing(
                "This merchant asked that creates without an Idempotency-Key be refused.",
                param="Idempotency-Key",
            )


def _how(outcome: Outcome) -> str:
    if isinstance(outcome, Undecided):
        return "undecided"
    if outcome.replayed:
        return "replayed"
    return "log" if outcome.position else "outbox"


def _answered(submission: Submission, outcome: Outcome) -> Response:
    headers = {"Idempotency-Key": submission.key}
    if outcome.position is not None:
        headers["Log-Position"] = outcome.position
    if isinstance(outcome, Accepted):
        if outcome.replayed:
            headers["Idempotent-Replayed"] = "true"
        return json_answer(outcome.answer, 201, headers)
    headers["Location"] = f"/api/v1/operations/{outcome.command_id}"
    headers["Retry-After"] = "1"
    pending = {
        "id": outcome.command_id,
        "object": "operation",
        "type": "payment.create",
        "payment_id": submission.payment_id,
        "status": "pending",
    }
    return json_answer(pending, 202, headers)
