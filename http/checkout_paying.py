"""What a customer does: pay, look what became of it, answer the bank. One attempt, one payment."""

from __future__ import annotations

from starlette.responses import Response

from headgate.http.acceptance import Acceptance
from headgate.http.askers import Asker
from headgate.http.checkout_access import CheckoutAccess
from headgate.http.checkout_answers import to_customer
from headgate.http.checkout_schemas import AuthenticateRequest, ConfirmRequest
from headgate.http.checkout_standings import Standings
from headgate.http.commanding import Wanted
from headgate.http.creating import Creator
from headgate.http.exchange import Exchange, whole_number
from headgate.http.handoff import Accepted
from headgate.http.openapi_operation import API
from headgate.http.problems_of_access import LivemodeMismatch
from headgate.http.problems_of_checkout import CheckoutInProgress, CheckoutOver
from headgate.http.problems_of_requests import KeyReused, ParameterInvalid, ParameterMissing
from headgate.http.routing import json_answer
from headgate.http.schemas import PaymentRequest
from headgate.http.submission import key_for, said
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.clock import now_ms
from headgate.streams.commands import AuthenticatePayment
from headgate.streams.settings import Settings
from headgate.tables.checkout import StoredSession
from headgate.tables.checkout_standing import Standing

AUTHENTICATE = f"POST {API}/checkout/authenticate"
ANOTHER = "This session has another payment already. Nobody is charged twice."


class CheckoutPaying:
    """All of it is opened by the client secret, and goes the way of everybody's commands."""

    def __init__(
        self,
        settings: Settings,
        access: CheckoutAccess,
        standings: Standings,
        creator: Creator,
        acceptance: Acceptance,
    ) -> None:
        self._access = access
        self._standings = standings
        self._creator = creator
        self._acceptance = acceptance
        self._wait_s_max = settings.checkout_wait_s_max

    async def confirm(self, exchange: Exchange) -> Response:
        """Take the payment of one attempt (202). Its id and key follow from session and attempt,
        so that it is the same one however often and from wherever it is sent (08 R25)."""
        session, customer = await self._access.session(exchange)
        asked = body_as(ConfirmRequest, exchange, customer)
        _check_means(asked, session)
        self._access.check_active(session)
        check_turn(await self._standings.of(session), asked.attempt)
        key = key_for(customer, ids.checkout_key(session.id, asked.attempt))
        submission = self._creator.submission(
            payment_of(asked, session), customer, key, exchange.request_id, now_ms()
        )
        try:
            outcome = await self._acceptance.accept(submission, None)
        except KeyReused:
            raise CheckoutInProgress(ANOTHER) from None
        if isinstance(outcome, Accepted):
            whose = (session.merchant_id, session.mode)
            self._acceptance.existing.know(submission.payment_id, whose)
        return await self._answer(session, await self._standings.of(session), 202)

    async def state(self, exchange: Exchange) -> Response:
        """Where the session is. With `seen` the answer waits, up to `wait` seconds, for another
        status than that."""
        session, _ = await self._access.session(exchange)
        query = exchange.query()
        wait_s = whole_number(query, "wait", 0, least=0, most=self._wait_s_max)
        standing = await self._standings.after(session, query.get("seen"), wait_s)
        return await self._answer(session, standing)

    async def authenticate(self, exchange: Exchange) -> Response:
        """The customer comes back from the bank's question. In test mode this page asks it; the
        first answer of each attempt counts."""
        session, customer = await self._access.session(exchange)
        if session.mode != "test":
            raise LivemodeMismatch("In live mode the bank asks its customer itself.")
        asked = body_as(AuthenticateRequest, exchange, customer)
        payment_id = session.payment_id(asked.attempt)
        key = key_for(customer, ids.checkout_key(session.id, asked.attempt, "authenticate"))
        wanted = Wanted(
            model=AuthenticatePayment,
            payment_id=payment_id,
            route=AUTHENTICATE,
            parts={},
            said=said(asked),
            members={"outcome": asked.outcome},
        )
        await self._acceptance.take(exchange, Asker(customer, key), wanted)
        return await self._answer(session, await self._standings.of(session))

    async def _answer(
        self, session: StoredSession, standing: Standing, status: int = 200
    ) -> Response:
        merchant = self._access.configuration.now.merchants.get(session.merchant_id)
        state = to_customer(session, standing, merchant.name if merchant else "")
        return json_answer(state.model_dump_json().encode(), status)


def check_turn(standing: Standing, attempt: int) -> None:
    """Whether this attempt may be asked for. One that was made before may be repeated, and is
    answered with what became of it; the next one waits until the last has failed for good. Pure.

    Raises CheckoutInProgress or CheckoutOver.
    """
    if standing.status in ("expired", "failed") and attempt >= standing.attempt:
        raise CheckoutOver(
            "The time for this payment is over. Nothing was charged."
            if standing.status == "expired"
            else "There were too many attempts. Nothing was charged; ask the shop to begin again."
        )
    if attempt > standing.attempt:
        raise CheckoutInProgress(
            f"Attempt {attempt} begins when attempt {standing.attempt} has failed for good."
        )


def payment_of(asked: ConfirmRequest, session: StoredSession) -> PaymentRequest:
    """The body of the create: the amount is the session's, never the browser's."""
    metadata = {"checkout_session": session.id}
    if asked.attempt > 1:
        metadata["test_attempt"] = str(asked.attempt)
    return PaymentRequest(
        amount=session.amount,
        order_id=session.order_id,
        method=asked.method,
        currency=session.currency,
        vpa=asked.vpa if asked.method == "upi" else None,
        card=asked.card if asked.method == "card" else None,
        metadata=metadata,
    )


def _check_means(asked: ConfirmRequest, session: StoredSession) -> None:
    if asked.method not in session.methods:
        raise ParameterInvalid(
            f"method is {asked.method}; this session takes {' or '.join(session.methods)}.",
            param="method",
        )
    needed = "card" if asked.method == "card" else "vpa"
    if getattr(asked, needed) is None:
        raise ParameterMissing(f"{needed} is missing.", param=needed)
