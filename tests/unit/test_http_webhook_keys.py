"""The page of public keys: what receivers of `v1a` signatures verify with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest
import pytest_asyncio
from headgate_webhooks import Verifier
from starlette.applications import Starlette

from headgate.http.routing import at
from headgate.http.webhook_keys import WebhookKeys
from headgate.streams.settings import Settings
from headgate.streams.signatures_asymmetric import public_jwk, public_key
from headgate.tables.configuration import Configuration, ConfigurationCopy
from tests.unit.gates import gate_of
from tests.unit.real_attempts import BOX, EVENT, SIGNING_KEY, attempt
from tests.unit.test_keyring import endpoint

SEALED = BOX.seal(SIGNING_KEY)
ENDPOINTS = {
    "ep_1": endpoint(sealed_signing_key=SEALED),
    "ep_disabled": endpoint(id="ep_disabled", sealed_signing_key=SEALED, enabled=False),
    "ep_plain": endpoint(id="ep_plain"),
    "ep_deleted": endpoint(id="ep_deleted", sealed_signing_key=SEALED, deleted=True),
}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    class Copy:
        now = Configuration(endpoints=ENDPOINTS)

    keys = WebhookKeys(cast("ConfigurationCopy", Copy()), BOX)
    app = Starlette(
        routes=[at("/.well-known/webhook-keys/{endpoint}", "endpoint", GET=keys.show)],
        middleware=[gate_of(Settings())],
    )
    transport = httpx.ASGITransport(app=app)
    base = "http://edge/.well-known/webhook-keys/"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        yield client


@pytest.mark.parametrize("endpoint_id", ["ep_1", "ep_disabled"])
async def test_the_keys_of_an_endpoint_verify_what_it_gets(
    client: httpx.AsyncClient, endpoint_id: str
) -> None:
    answer = await client.get(endpoint_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "keys": [public_jwk(SIGNING_KEY, ENDPOINTS[endpoint_id].id)],
        "public_keys": [public_key(SIGNING_KEY)],
    }
    assert SIGNING_KEY[5:] not in answer.text
    received = await attempt("a secret nobody here knows")
    webhook = Verifier(*answer.json()["public_keys"]).verify(received.body, received.headers)
    assert webhook.payload["id"] in EVENT


@pytest.mark.parametrize(
    "endpoint_id", ["ep_plain", "ep_deleted", "ep_none", "a/b", "", "%00", "☂"]
)
async def test_without_a_key_there_is_nothing_to_tell(
    client: httpx.AsyncClient, endpoint_id: str
) -> None:
    answer = await client.get(endpoint_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")
