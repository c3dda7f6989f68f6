"""Whatever is sent to whichever route: an answer that the OpenAPI document tells of, in JSON, never
a fault. The edge runs here without a server behind it, so what is right is answered with 503."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.http.edge import create_app
from headgate.http.openapi import OPERATIONS
from headgate.http.openapi_operation import Operation
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration
from headgate.tables.merchants import hash_secret
from headgate.tables.scopes import SCOPES
from tests.contract.documented import check_documented

CLOSED = [
    operation
    for operation in OPERATIONS
    if operation.scope is not None and not operation.path.endswith("/stream")
]

words = st.text(max_size=40) | st.sampled_from(
    ["", "0", "-1", "abc", "pay_aaaaaaaaaaaaaaa", "..", "\0", "\u0663", "9" * 30, "null", "[]"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
)


def members_of(operation: Operation) -> list[str]:
    """Names that the route may look at, and one that it does not know."""
    known = list(operation.body.model_fields) if operation.body else ["amount"]
    return [*known, "unknown"]


def bodies(operation: Operation) -> st.SearchStrategy[bytes]:
    """Objects with known names and any values, other JSON, and bytes; the example with changes."""
    changed = st.dictionaries(st.sampled_from(members_of(operation)), values, max_size=4)
    objects = changed.map(lambda change: {**operation.example, **change}) | changed
    told = (objects | values).map(lambda value: json.dumps(value).encode())
    return told | st.binary(max_size=200)


def headers() -> st.SearchStrategy[dict[str, str]]:
    """Headers that routes look at, with odd values."""
    odd = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
    names = ("Idempotency-Key", "Prefer", "Consistent-With", "Content-Encoding", "Last-Event-ID")
    return st.dictionaries(st.sampled_from(names), odd, max_size=2)


class Sent(NamedTuple):
    """One request."""

    path: str
    query: list[tuple[str, str]]
    headers: dict[bytes, bytes]
    body: bytes


@st.composite
def requests(draw: st.DrawFn, operation: Operation) -> Sent:
    """A request to the operation, right or wrong in any of its parts."""
    path = re.sub(
        r"\{\w+\}", lambda _: quote(draw(words) or "x", safe="").replace("..", "%2e."),
        operation.path,
    )  # fmt: skip
    names = st.sampled_from([*operation.query, "unknown", "limit[", "a[b]"])
    told = {"Content-Type": "application/json", **draw(headers())}
    return Sent(
        path,
        draw(st.lists(st.tuples(names, words), max_size=3)),
        {name.encode(): value.encode("latin-1") for name, value in told.items()},
        draw(bodies(operation)) if operation.method != "get" else b"",
    )


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an edge that knows one API key and reaches nothing."""
    app = create_app(
        Settings(
            secret_key=b64encode(bytes(32)).decode(),
            state_dir=tmp_path,
            read_wait_ms=20,
            decision_wait_ms=20,
            unused_key_wait_ms=20,
        )
    )
    key = ApiKey(
        id="key_test_1",
        merchant_id="mer_1",
        mode="test",
        secret_hash=hash_secret("s"),
        revoked=False,
        scopes=set(SCOPES),
    )
    app.state.services.configuration.now = Configuration(version=1, keys={key.id: key})
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://edge", headers={"Authorization": "Bearer s"}
    ) as client:
        yield client


@pytest.mark.parametrize("operation", CLOSED, ids=lambda operation: operation.name)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_no_request_is_answered_with_a_fault(
    operation: Operation, client: httpx.AsyncClient, data: st.DataObject
) -> None:
    sent = data.draw(requests(operation))
    answer = await client.request(
        operation.method.upper(),
        sent.path,
        params=urlencode(sent.query),
        headers=sent.headers,
        content=sent.body,
    )
    assert answer.status_code != 500, answer.text
    assert "json" in answer.headers["Content-Type"]
    assert answer.headers["Request-Id"]
    assert len(answer.content) <= 2048 or answer.is_success
    check_documented(answer)
