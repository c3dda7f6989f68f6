"""A merchant's webhooks from the API to the receiver, through a rotation, verified with the helper
that we ship and with the library of Standard Webhooks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from headgate_webhooks import NotVerified, Verifier
from standardwebhooks import Webhook

from headgate.embedded.stack import Stack
from tests.contract.seed_client import Hook, Json, Receiver, client_of, receiving
from tests.system.harness_running import Running, running_system

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

SECRET_KEY = {"Authorization": "Bearer secret_test_xyz789"}
"""The demo merchant's."""
ENDPOINTS = "/api/v1/webhook_endpoints"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_system(stack, tmp_path_factory.mktemp("signatures")) as running:
        yield running


async def made(http: httpx.AsyncClient, url: str) -> Json:
    """An endpoint that asks for everything there is to sign with."""
    asked = {
        "url": url,
        "event_types": ["payment.created"],
        "asymmetric": True,
        "headers": {"X-Tenant": "shop-7", "Authorization": "Bearer of the shop"},
    }
    answer = await http.post(ENDPOINTS, json=asked)
    assert answer.status_code == 201, answer.text
    endpoint: Json = answer.json()
    return endpoint


async def told(http: httpx.AsyncClient, there: Receiver, order: str) -> Hook:
    """The webhook about a new payment."""
    asked = {"amount": 500, "order_id": order, "method": "upi", "vpa": "success@upi"}
    answer = await http.post("/api/v1/payments", json=asked)
    assert answer.status_code == 201, answer.text
    return (await there.told("payment.created", answer.json()["id"]))[0]


async def test_every_key_that_the_api_shows_verifies_what_arrives_also_while_it_changes(
    running: Running,
) -> None:
    """08 R33."""
    async with receiving() as there, client_of(running.url, SECRET_KEY) as client:
        http = client.http
        endpoint = await made(http, there.url)
        page = (await http.get(f"/.well-known/webhook-keys/{endpoint['id']}")).json()
        first = await told(http, there, "order-before")
        old = endpoint["secret"]
        assert page["public_keys"] == [endpoint["public_key"]]
        assert first.headers["x-tenant"] == "shop-7"
        assert first.headers["authorization"] == "Bearer of the shop"
        for key in (old, endpoint["public_key"]):
            assert verified(first, key)["event"] == "payment.created"

        answer = await http.post(f"{ENDPOINTS}/{endpoint['id']}/rotate_secret", json={})
        assert answer.status_code == 201, answer.text
        new = answer.json()["secret"]
        during = await told(http, there, "order-during")
        for key in (old, new, endpoint["public_key"]):
            verified(during, key)
        for secret in (old, new):
            Webhook(secret).verify(during.body.decode(), during.headers)
        assert during.signed_with(old), "the seed's header, until the overlap ends"
        with pytest.raises(NotVerified):
            verified(first, new)

        answer = await http.post(
            f"{ENDPOINTS}/{endpoint['id']}/rotate_secret", json={"overlap_s": 0}
        )
        newest = answer.json()["secret"]
        after = await told(http, there, "order-after")
        verified(after, newest)
        assert after.signed_with(newest)
        for ended in (old, new):
            with pytest.raises(NotVerified):
                verified(after, ended)


def verified(hook: Hook, key: str) -> Json:
    webhook = Verifier(key).verify(hook.body, hook.headers)
    assert webhook.payload == json.loads(hook.body)
    assert webhook.id == webhook.payload["id"]
    event: Json = webhook.payload
    return event
