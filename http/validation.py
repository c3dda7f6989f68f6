"""From what pydantic finds wrong to the codes and sentences of 01 §7.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from headgate.http.body import Members, check_media_type, parse_object
from headgate.http.exchange import Exchange
from headgate.http.problems import Flaw
from headgate.http.problems_of_requests import (
    AmountTooLarge,
    BadRequest,
    CardExpired,
    CardNumberInvalid,
    CurrencyUnsupported,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnknown,
    VpaInvalid,
)
from headgate.http.seed_words import MISSING_FIELDS
from headgate.streams.cards import masked, quoted
from headgate.tables.configuration import ApiKey

Model = TypeVar("Model", bound=BaseModel)

VALUE_CHARACTERS_MAX = 40
DETAIL_CHARACTERS_MAX = 160

_FRACTIONS_SHOWN_BELOW = 10**9
"""Larger ones may be written with an exponent, in which nothing finds a card number."""

_SECRET_MEMBERS = frozenset({"card", "webhookSecret", "webhook_secret", "secret", "headers"})
"""Members whose values are never repeated in an answer."""

_BY_CODE: dict[str, type[BadRequest]] = {
    problem.code: problem
    for problem in (
        ParameterMissing,
        ParameterUnknown,
        AmountTooLarge,
        CurrencyUnsupported,
        CardNumberInvalid,
        CardExpired,
        VpaInvalid,
    )
}

_CODES = {"missing": ParameterMissing.code, "extra_forbidden": ParameterUnknown.code}
"""What pydantic itself finds, by its word for it."""


def body_as(
    model: type[Model],
    exchange: Exchange,
    api_key: ApiKey,
    *,
    seed_required: Sequence[str] = (),
    may_be_empty: bool = False,
) -> Model:
    """The body of a request as a model, read as strictly as its API key asks for.

    No body at all is taken as `{}` where that `may_be_empty`. Raises a BadRequest, or
    UnsupportedMediaType.
    """
    if may_be_empty and not exchange.body:
        members: Members = {}
    else:
        check_media_type(exchange.headers)
        members = parse_object(exchange.body)
    strict = api_key.strict_parameters
    return validated(model, members, strict=strict, seed_required=seed_required)


def validated(
    model: type[Model],
    members: Mapping[str, Any],
    *,
    strict: bool,
    seed_required: Sequence[str] = (),
) -> Model:
    """`members` as a model, or the problem that says what is wrong with which of them.

    Unknown members, also nested ones, are ignored, or refused when `strict`. Where one of
    `seed_required` is missing, zero or empty, the seed said so in a string of its own, which is
    kept (08 R19).
    """
    try:
        return model.model_validate(members, extra="forbid" if strict else None)
    except ValidationError as error:
        flaws = [_flaw(detail) for detail in error.errors(include_url=False)]
    first = min(flaws, key=lambda flaw: flaw.code != ParameterMissing.code)
    seed_missing = any(not members.get(name) for name in seed_required)
    raise _BY_CODE.get(first.code, ParameterInvalid)(
        first.detail,
        param=first.pointer.lstrip("/").replace("/", "."),
        flaws=flaws,
        seed_error=MISSING_FIELDS if seed_missing else None,
    ) from None


def _flaw(error: ErrorDetails) -> Flaw:
    where = [masked(str(part))[:VALUE_CHARACTERS_MAX] for part in error["loc"]]
    name = masked(".".join(where))
    code = _code(error["type"], name)
    if code == ParameterMissing.code:
        detail = f"{name} is missing."
    elif code == ParameterUnknown.code:
        detail = f"{name} is not known here, and this API key has strict_parameters."
    elif error["type"] in _BY_CODE or where[0] in _SECRET_MEMBERS:
        detail = f"{name}: {error['msg']}."
    else:
        detail = f"{name} is {_shown(error['input'])}; {_sentence(error['msg'])}."
    return Flaw("/" + masked("/".join(where)), code, detail[:DETAIL_CHARACTERS_MAX])


def _code(kind: str, name: str) -> str:
    if kind in _CODES:
        return _CODES[kind]
    if kind == "less_than_equal" and name == "amount":
        return AmountTooLarge.code
    return kind if kind in _BY_CODE else ParameterInvalid.code


def _shown(value: object) -> str:
    """The value as it may stand in an answer: short, and without a card number."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return quoted(value, VALUE_CHARACTERS_MAX)
    most = 10**VALUE_CHARACTERS_MAX if isinstance(value, int) else _FRACTIONS_SHOWN_BELOW
    if isinstance(value, int | float) and abs(value) >= most:
        return "a number of many digits"
    return masked(str(value))[:VALUE_CHARACTERS_MAX]


def _sentence(message: str) -> str:
    """Pydantic's `Input should be …` as the second half of a sentence."""
    return message.replace("Input should be", "it must be").replace("String should", "it must")
