"""A bank's words as commands: what makes no sense is doubt, what no table can hold is cut."""

from __future__ import annotations

from typing import get_args

from headgate.agents.acquirers.protocol import Answer, Callback
from headgate.streams import ids
from headgate.streams.commands import AcquirerAnswer, AcquirerRequest, Outcome

BANK_WORD_MAX = 255
"""Most characters that are kept of a reference or code that a bank gives."""
AFTER_MAX_MS = 7 * 86_400_000
"""Longest time after which a bank's word may be set to count."""
CALLBACKS_MAX = 10
"""Most callbacks of one call."""

OUTCOMES: frozenset[str] = frozenset(get_args(Outcome))
UNKNOWN = Answer("unknown")


def makes_sense(said: object, request: AcquirerRequest) -> bool:
    """Whether this can be an answer to the request. A bank that approves more than it was asked
    for, or a part of what is not divisible, has to be asked again."""
    if not isinstance(said, Answer) or said.outcome not in OUTCOMES:
        return False
    words = (said.reference, said.decline_code, said.advice_code)
    if not all(word is None or isinstance(word, str) for word in words):
        return False
    if not _whole(said.after_ms, 0, AFTER_MAX_MS):
        return False
    least = 1 if request.about == "authorize" else request.amount
    return said.amount is None or _whole(said.amount, least, request.amount)


def callback_makes_sense(said: object, request: AcquirerRequest) -> bool:
    """The same for what the bank says unasked."""
    known = isinstance(said, Callback) and _whole(said.after_ms, 0, AFTER_MAX_MS)
    return known and makes_sense(said.answer, request)  # type: ignore[attr-defined]


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def answer_to(request: AcquirerRequest, said: Answer, callback: int = 0) -> AcquirerAnswer:
    """The command that tells settle. Its id is derived from attempt, look and callback: what is
    told twice counts once."""
    key = f"{request.attempt_id}:{request.look}" + (f":{callback}" if callback else "")
    return AcquirerAnswer(
        command_id=ids.command_id(request.payment_id, request.type, key),
        payment_id=request.payment_id,
        merchant_id=request.merchant_id,
        mode=request.mode,
        attempt_id=request.attempt_id,
        operation=request.type,
        look=request.look,
        callback=callback,
        outcome=said.outcome,
        amount=request.amount if said.amount is None else said.amount,
        reference=_storable(said.reference),
        decline_code=_storable(said.decline_code),
        advice_code=_storable(said.advice_code),
    )


def said_in(answer: AcquirerAnswer) -> Answer:
    """The bank's words in an answer that is on record."""
    return Answer(
        answer.outcome,
        answer.reference,
        answer.decline_code,
        answer.advice_code,
        amount=answer.amount,
    )


def _storable(said: str | None) -> str | None:
    """A bank's word as PostgreSQL can keep it: no NUL, no half characters, not without end. One
    that it refused would hold up this request for ever."""
    if said is None:
        return None
    return said.encode(errors="replace").decode().replace("\0", "")[:BANK_WORD_MAX]
