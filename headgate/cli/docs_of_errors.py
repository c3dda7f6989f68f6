"""The page `docs/reference/errors.md`: every error, decline code and advice code, from the code."""

from __future__ import annotations

import orjson

from headgate.http.openapi import OPERATIONS
from headgate.http.openapi_operation import ALWAYS, AUTHENTICATED
from headgate.http.openapi_problems import REQUEST_ID, meaning_of
from headgate.http.problem_kinds import KINDS
from headgate.http.problems import Problem
from headgate.streams.declines import ADVICE, DECLINES

ERRORS = """\
{made}

# Errors

Every error is a problem of RFC 9457 (`application/problem+json`), at most 2 kB long. `code` is
stable: decide by it. `detail` is a sentence for people and may change. `type` is a page of the
edge that says what stands here. `retryable`, also sent as the header `Should-Retry`, says whether
the same request may succeed later; `Retry-After` says when. `error` is the seed's envelope: its
object with its code and description, or on some routes the seed's own string.

After 408, 409, 429 and 503, and when there was no answer at all, repeat a write with the same
`Idempotency-Key`: nothing moves twice. What a payment refused (400) is recorded with its key, and
repeating it gives the same answer.

| Status | Code | Title | Retry |
|---|---|---|---|
"""

DECLINED = """\

## Decline codes

Why a bank declined: `decline_code` of a payment and of `payment_declined`. What a bank says beyond
these becomes `do_not_honor`. The last column may be shown to the customer; who holds a card that is
not theirs must not read that it was reported.

| decline_code | What it means | advice_code | Same card again | What to tell the customer |
|---|---|---|---|---|
"""

ADVISED = """\

## Advice codes

| advice_code | What to do |
|---|---|
"""


def errors(made: str) -> str:
    """The page of all errors, by status; `made` says where it comes from."""
    kinds = KINDS
    rows = [
        f"| {kind.status} | [`{kind.code}`](#{kind.code}) | {kind.title} | {_yes(kind.retryable)} |"
        for kind in kinds
    ]
    return "\n".join(
        [ERRORS.format(made=made) + "\n".join(rows), *map(_error, kinds), _declines(), _advice()]
    )


def _error(kind: type[Problem]) -> str:
    example = orjson.dumps(kind.example().document(REQUEST_ID), option=orjson.OPT_INDENT_2).decode()
    return "\n".join(
        (
            f"\n## `{kind.code}`\n",
            f"**{kind.status} {kind.title}.** {meaning_of(kind)}\n",
            f"- What to do: {kind.remedy}",
            f"- Retry the same request: {_yes(kind.retryable)}",
            f"- The seed's code: `{kind.seed_code}`",
            f"- Answered by: {_routes(kind)}\n",
            f"```json\n{example}\n```",
        )
    )


def _routes(kind: type[Problem]) -> str:
    if kind in ALWAYS:
        return "every route"
    if kind in AUTHENTICATED:
        return "every route that needs an API key"
    found = [
        f"`{operation.method.upper()} {operation.path}`"
        for operation in OPERATIONS
        if kind in operation.kinds()
    ]
    return ", ".join(found)


def _declines() -> str:
    rows = [
        f"| `{code}` | {decline.meaning} | `{decline.advice}` | {_yes(decline.again)} "
        f"| {decline.tell} |"
        for code, decline in DECLINES.items()
    ]
    return DECLINED + "\n".join(rows)


def _advice() -> str:
    rows = [f"| `{code}` | {text} |" for code, text in ADVICE.items()]
    return ADVISED + "\n".join(rows) + "\n"


def _yes(so: bool) -> str:  # the word for a truth
    return "yes" if so else "no"
