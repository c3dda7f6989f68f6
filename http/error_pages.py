"""`/errors/{code}`: what the `type` of a problem leads to, as a page for people."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape

import orjson
from starlette.responses import Response

from headgate.http.exchange import Exchange
from headgate.http.openapi_problems import REQUEST_ID, meaning_of
from headgate.http.problem_kinds import KINDS
from headgate.http.problems import Problem, kind_of
from headgate.http.problems_of_payments import PaymentDeclined
from headgate.http.problems_of_requests import ResourceMissing
from headgate.streams.cards import quoted
from headgate.streams.declines import ADVICE, DECLINES

_STYLE = (
    ":root{color-scheme:light dark;background:Canvas;color:CanvasText}"
    "body{font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:48rem;overflow-wrap:anywhere}pre{white-space:pre-wrap}"
    "[role=region]{overflow-x:auto}th,td{text-align:left;vertical-align:top}"
    "th,td{overflow-wrap:break-word;padding-right:.5rem}"
)
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {"Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'"}
"""No script runs, and no other style than ours."""


class ErrorPages:
    """`GET /errors` and `GET /errors/{code}`. They need no API key: a browser opens them."""

    async def listed(self, exchange: Exchange) -> Response:
        """All errors with their titles."""
        del exchange
        rows = [
            (
                str(kind.status),
                f'<a href="/errors/{kind.code}">{_breaking(kind.code)}</a>',
                escape(kind.title),
            )
            for kind in KINDS
        ]
        return _page("Errors", _table("All errors", ("Status", "Code", "Title"), rows))

    async def show(self, exchange: Exchange) -> Response:
        """One error: what it means, what to do, and how it looks."""
        code = exchange.path("code")
        kind = kind_of(code)
        if kind is None:
            raise ResourceMissing(f"There is no error {quoted(code)}; see /errors.")
        declines = _declines() if kind is PaymentDeclined else ""
        return _page(f"{kind.status} {kind.title}", _described(kind) + declines)


def _described(kind: type[Problem]) -> str:
    again = "The same request may succeed later." if kind.retryable else "Asking again is in vain."
    example = orjson.dumps(kind.example().document(REQUEST_ID), option=orjson.OPT_INDENT_2)
    return (
        f"<p><code>{kind.code}</code></p>"
        f"<p>{_prose(meaning_of(kind))}</p>"
        f"<h2>What to do</h2><p>{_prose(kind.remedy)} {again}</p>"
        f"<h2>Example</h2><pre>{escape(example.decode())}</pre>"
        '<p><a href="/errors">All errors</a></p>'
    )


def _declines() -> str:
    reasons = [
        (
            f"<code>{_breaking(code)}</code>",
            escape(decline.meaning),
            f"<code>{_breaking(decline.advice)}</code>",
        )
        for code, decline in DECLINES.items()
    ]
    advice = [(f"<code>{_breaking(code)}</code>", escape(text)) for code, text in ADVICE.items()]
    return (
        "<h2>Decline codes</h2>"
        + _table("Decline codes", ("decline_code", "What it means", "advice_code"), reasons)
        + "<h2>Advice codes</h2>"
        + _table("Advice codes", ("advice_code", "What to do"), advice)
    )


def _breaking(code: str) -> str:
    """A code as HTML, that goes on in the next line behind a `_` where it is too long for one."""
    return escape(code).replace("_", "_<wbr>")


def _prose(text: str) -> str:
    """Text of a docstring as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(label: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table that is moved sideways by itself where the screen is too narrow for it."""
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div tabindex="0" role="region" aria-label="{label}">{table}</div>'


def _page(title: str, content: str) -> Response:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · Headgate</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Response(page, headers=_HEADERS, media_type="text/html")
