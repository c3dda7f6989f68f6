"""Every route that needs a key needs a scope, and its documentation names the right one."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Set as AbstractSet
from pathlib import Path

import httpx
import pytest

from headgate.http.edge import create_app
from headgate.http.openapi import OPERATIONS, document
from headgate.http.openapi_operation import Operation
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration
from headgate.tables.merchants import hash_secret
from headgate.tables.scopes import SCOPES

CLOSED = [operation for operation in OPERATIONS if operation.scope is not None]
OPEN = {
    "/.well-known/webhook-keys/{endpoint}",
    "/api/v1/test/jobs/status",
    "/api/v1/checkout/resolve",
    "/api/v1/test/merchant",
    "/checkout",
    "/checkout.js",
    "/checkout/demo",
    "/checkout/embed",
    "/checkout/pay/{session}",
    "/checkout/static/{name}",
    "/headgate-react.d.ts",
    "/headgate-react.js",
    "/headgate.js",
    "/v1/headgate.js",
    "/errors",
    "/errors/{code}",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
    "/schemas/{name}",
}


async def asked(operation: Operation, folder: Path, scopes: AbstractSet[str]) -> httpx.Response:
    """What an edge without any server answers to a key with these scopes."""
    app = create_app(Settings(secret_key=b64encode(bytes(32)).decode(), state_dir=folder))
    key = ApiKey(
        id="key_test_1",
        merchant_id="mer_1",
        mode="test",
        secret_hash=hash_secret("s"),
        revoked=False,
        scopes=scopes,
    )
    app.state.services.configuration.now = Configuration(version=1, keys={key.id: key})
    headers = {"Authorization": "Bearer s"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        path = operation.path.replace("{id}", "nothing")
        return await client.request(operation.method.upper(), path, headers=headers)


@pytest.mark.parametrize("operation", CLOSED, ids=lambda operation: operation.name)
async def test_a_key_with_all_scopes_but_the_documented_one_is_refused(
    operation: Operation, tmp_path: Path
) -> None:
    answer = await asked(operation, tmp_path, set(SCOPES) - {str(operation.scope)})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert f"the scope {operation.scope}," in answer.json()["detail"]
    assert answer.json()["error"]["code"] == "AUTHENTICATION_ERROR"


def test_only_what_anybody_may_know_is_open() -> None:
    others = {o.path for o in OPERATIONS if o.scope is not None or o.client_secret}
    assert {operation.path for operation in OPERATIONS} - others == OPEN


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if o.client_secret], ids=lambda operation: operation.name
)
async def test_an_api_key_does_not_open_what_a_client_secret_does(
    operation: Operation, tmp_path: Path
) -> None:
    answer = await asked(operation, tmp_path, set(SCOPES))
    assert (answer.status_code, answer.json()["code"]) == (401, "client_secret_invalid")


def test_the_document_names_the_scope_and_what_a_key_may_be_told() -> None:
    paths = document()["paths"]
    for operation in CLOSED:
        written = paths[operation.path][operation.method]
        assert written["security"][0] == {"secret": [operation.scope]}
        assert {"401", "403", "429"} <= set(written["responses"])
        answer = written["responses"][str(min(operation.answers))]
        assert {"RateLimit", "RateLimit-Policy"} <= set(answer["headers"])
