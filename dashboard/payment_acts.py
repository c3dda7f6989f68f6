"""Capture, refund and cancel: a typed amount, and one act however often the button is pressed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headgate.dashboard.acting import Acting
from headgate.dashboard.answers import missing
from headgate.dashboard.app import form_of
from headgate.dashboard.place import Place
from headgate.dashboard.rest import Answered
from headgate.dashboard.viewer import Viewer
from headgate.streams.facts import State
from headgate.streams.money import from_words, in_words
from headgate.tables.payment import Payment
from headgate.tables.postgres import Row
from headgate.tables.scopes import Scope

LATER = 202
"""The status that says: it is on the log, and will be decided."""
_KEY = re.compile(r"dash_[A-Za-z0-9_-]{22}")
"""Idempotency keys as forms carry them."""
TOO_MUCH = frozenset({"refund_exceeds_refundable", "capture_exceeds_authorized"})
"""Problems whose words count in minor units, which are not for people."""
DECIDED = frozenset({
    "authorization_expired", "capture_exceeds_authorized", "command_refused",
    "payment_already_captured", "payment_not_cancelable", "payment_not_capturable",
    "payment_not_refundable", "refund_exceeds_refundable", "too_many_children",
    "void_exceeds_capturable",
})  # fmt: skip
"""Problems that say: what came under this key was decided, and moved nothing. Only they free a form
of its key. Whatever else goes wrong, an earlier sending may still move money, or have moved it."""
REUSED = "idempotency_key_reused"
"""The problem of a form that was sent before with something else in it."""
_WORDS = {
    "idempotency_key_in_use": "What you sent first has no answer yet. Press the button again in a "
    "moment; it acts once.",
    "outcome_unknown": "There was no answer in time, so the money may have moved or not. Press the "
    "button again, and change nothing in the form: it acts once.",
    REUSED: "You sent this form before with something else in it, and that may have moved the "
    "money. Look at the payment before you ask again.",
}
"""Problems whose words are about requests and keys, as people need them."""


@dataclass(frozen=True)
class Act:
    """Something that a person can do with a payment's money."""

    name: str
    """The last part of the address."""
    verb: str
    done: str
    """The verb for what it was done to."""
    path: str
    """The last part of the REST surface's path."""
    scope: Scope
    most: int = 0
    """The largest amount, in minor units."""
    has_reason: bool = True


_ALL = {
    one.name: one
    for one in (
        Act("capture", "Capture", "captured", "capture", "payments:write", has_reason=False),
        Act("refund", "Refund", "refunded", "refunds", "refunds:write"),
        Act("cancel", "Cancel", "canceled", "cancel", "payments:write"),
    )
}
"""Acts by name, of nothing yet."""
_ENDED: frozenset[State] = frozenset({"captured", "failed", "canceled", "expired"})


def acts_of(payment: Payment) -> list[Act]:
    """What can be done now. The edge decides; this is what is worth offering."""
    shown = payment.snapshot()
    left = shown.amount_captured - shown.amount_refunded - shown.amount_refund_pending
    capturable = shown.amount_capturable
    most: dict[str, int] = {}
    if capturable > 0:
        most["capture"] = capturable
    if left > 0:
        most["refund"] = left
    if payment.state not in _ENDED:
        most["cancel"] = capturable if capturable > 0 else payment.amount
    return [replace(_ALL[name], most=amount) for name, amount in most.items()]


@dataclass(frozen=True)
class Form:
    """A form that asks for an act, as a person sees it."""

    place: Place
    viewer: Viewer
    row: Row
    act: Act

    def page(
        self,
        wrong: str | None = None,
        status: int = 400,
        given: Mapping[str, str] | None = None,
        key: str | None = None,
        *,
        reused: bool = False,
    ) -> Response:
        """The form with what was `given` before, and why that did not do. Its idempotency key is
        drawn here, so that pressing the button twice acts once; `key` is one that must stay.
        `reused` offers a form with a fresh key, for whoever has looked at the payment."""
        currency = self.row["currency"]
        return self.place.pages.page(
            "payment_act.html", self.viewer, status=status if wrong else 200, place=self.place,
            here="payments", row=self.row, act=self.act, wrong=wrong, form=given or {},
            most=in_words(self.act.most, currency) if self.act.most else None, reused=reused,
            key=key or f"dash_{secrets.token_urlsafe(16)}",
        )  # fmt: skip

    async def send(self, given: Mapping[str, str]) -> Response:
        """Do it through the REST surface in the person's name, and lead to the payment; or show
        the form again with the reason why not."""
        key, row, act = given.get("key", ""), self.row, self.act
        if not _KEY.fullmatch(key):
            return self.page("The form was damaged; send it again.", given=given)
        try:
            body = _body(act, given, row["currency"])
        except ValueError as error:
            return self.page(str(error), given=given, key=key)
        acting = Acting(self.place, self.viewer, row["merchant_id"], row["mode"], act.scope)
        answered = await acting.ask("POST", f"/payments/{row['id']}/{act.path}", body, key)
        if answered.ok:
            done = "later" if answered.status == LATER else act.name
            return RedirectResponse(f"{self.viewer.base}/payments/{row['id']}?done={done}", 303)
        kept = None if answered.code in DECIDED else key
        why, reused = self._why_not(answered), answered.code == REUSED
        return self.page(why, answered.status, given, kept, reused=reused)

    def _why_not(self, answered: Answered) -> str:
        if answered.code not in TOO_MUCH:
            return _WORDS.get(answered.code, answered.refusal)
        left = in_words(self.act.most, self.row["currency"])
        return f"That is too much: {left} can be {self.act.done}."


async def asked(place: Place, request: Request, viewer: Viewer) -> Response:
    """The form of a capture, refund or cancel."""
    form = await _form(place, request, viewer)
    if form is None or not form.act.most or not viewer.may_write:
        return missing(place, viewer, f"payment to {request.path_params['act']}")
    return form.page()


async def acted(place: Place, request: Request, viewer: Viewer) -> Response:
    """Do what the form asks for."""
    form = await _form(place, request, viewer)
    return await form.send(form_of(request)) if form else missing(place, viewer, "payment")


async def _form(place: Place, request: Request, viewer: Viewer) -> Form | None:
    """The form for the act and payment of the address; None when there is no such one."""
    name = request.path_params["act"]
    whose = (viewer.merchant_id, viewer.mode, request.path_params["id"])
    row = await place.postgres.fetch_row("dashboard_payment", *whose)
    if row is None or name not in _ALL:
        return None
    now = acts_of(Payment.model_validate_json(row["record"]))
    # A second sending comes when the first one may have done all that could be done.
    return Form(place, viewer, row, next((one for one in now if one.name == name), _ALL[name]))


def _body(act: Act, form: Mapping[str, str], currency: str) -> dict[str, Any]:
    """What the REST surface is asked. Raises ValueError with a sentence for the person."""
    body: dict[str, Any] = {"amount": from_words(form.get("amount", ""), currency)}
    if act.name == "capture":
        # More may be captured later, unless the person says that this is all.
        body["final"] = form.get("final") == "yes"
    if act.has_reason and form.get("reason", "").strip():
        body["reason"] = form["reason"].strip()
    return body
