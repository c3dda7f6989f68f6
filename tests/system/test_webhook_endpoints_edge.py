"""Webhook endpoints over HTTP, with a real edge, and receivers that say yes or no."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.embedded.stack import Stack
from headgate.streams.signatures import signing_key
from tests.contract.bad_input import check
from tests.system.harness_edge import Edge, other_merchant, running_edge, with_demo
from tests.system.harness_place import opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

ENDPOINTS = "/api/v1/webhook_endpoints"
SETTINGS = "/api/v1/webhooks/settings"
WEBHOOK = "/api/v1/merchant/webhook"
GOOD: dict[str, Any] = {"url": "https://shop.example/hooks", "event_types": ["payment.*"]}
LIVE = "Bearer secret_live_1"


@pytest.fixture
async def edge(stack: Stack, tmp_path: Path) -> AsyncIterator[Edge]:
    """An edge with the demo merchant, which may send to this machine."""
    async with (
        opened(
            stack, HEADGATE_WEBHOOK_ALLOW_LOOPBACK="true", HEADGATE_WEBHOOK_ENDPOINTS_MAX="3"
        ) as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        yield edge


async def made(edge: Edge, **members: Any) -> dict[str, Any]:
    """A new endpoint."""
    return answered(await edge.client.post(ENDPOINTS, json={**GOOD, **members}), 201)


def answered(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The body of an answer with this status."""
    assert answer.status_code == status, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def act(edge: Edge, endpoint: dict[str, Any], action: str, **body: Any) -> httpx.Response:
    """Do something with an endpoint."""
    return await edge.client.post(f"{ENDPOINTS}/{endpoint['id']}/{action}", json=body)


async def test_an_endpoint_is_made_read_changed_and_deleted(edge: Edge) -> None:
    endpoint = await made(edge, headers={"X-Key": "k" * 20}, waits_s=[5, 60], fifo=True)
    assert endpoint["id"].startswith("whe_")
    assert len(signing_key(endpoint["secret"])) == 32
    assert (endpoint["status"], endpoint["schedule"]) == ("enabled", "custom")
    path = f"{ENDPOINTS}/{endpoint['id']}"
    shown = answered(await edge.get(path))
    assert endpoint["secret"] not in str(shown)
    assert "kkkkk" not in str(shown)
    changed = answered(await edge.client.patch(path, json={**shown, "rate_per_s": 7}))
    assert changed == {**shown, "rate_per_s": 7, "updated_at": changed["updated_at"]}
    listed = answered(await edge.get(ENDPOINTS))
    assert (listed["data"], listed["has_more"]) == ([changed], False)
    deleted = answered(await edge.client.delete(path))
    assert deleted["status"] == "deleted"
    assert answered(await edge.client.delete(path)) == deleted
    assert answered(await edge.get(path)) == deleted
    assert answered(await edge.get(ENDPOINTS))["data"] == []
    check(await edge.client.patch(path, json={"rate_per_s": 1}), 404, "resource_missing")
    for action in ("rotate_secret", "verify", "enable", "disable"):
        check(await act(edge, endpoint, action), 404, "resource_missing")


async def test_one_idempotency_key_makes_one_endpoint_also_fifty_at_once(edge: Edge) -> None:
    repeat: dict[str, Any] = {"json": GOOD, "headers": {"Idempotency-Key": "make-1"}}
    answers = await asyncio.gather(*(edge.client.post(ENDPOINTS, **repeat) for _ in range(50)))
    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    assert [one.headers.get("Idempotent-Replayed") for one in answers].count("true") == 49
    other: dict[str, Any] = {
        "json": {**GOOD, "rate_per_s": 1},
        "headers": {"Idempotency-Key": "make-1"},
    }
    check(await edge.client.post(ENDPOINTS, **other), 422, "idempotency_key_reused")
    await edge.place.rows(
        "update webhook_endpoints set created_at = created_at - interval '6 minutes'"
    )
    late = answered(await edge.client.post(ENDPOINTS, **repeat), 201)
    assert "…" in late["secret"]
    assert late["standard_secret"] is None


async def test_there_are_only_so_many(edge: Edge) -> None:
    for _ in range(3):
        await made(edge)
    check(await edge.client.post(ENDPOINTS, json=GOOD), 400, "too_many_webhook_endpoints")
    first, second = [
        answered(await edge.get(ENDPOINTS, limit="2", **after))
        for after in ({}, {"starting_after": (await edge.get(ENDPOINTS)).json()["data"][1]["id"]})
    ]
    assert [len(first["data"]), len(second["data"])] == [2, 1]
    assert first["has_more"]
    check(await edge.get(ENDPOINTS, starting_after="whe_x"), 400, "parameter_invalid")


async def test_a_secret_is_rotated_with_an_overlap_and_ended_at_once(edge: Edge) -> None:
    """08 R33."""
    endpoint = await made(edge)
    repeat: dict[str, Any] = {"headers": {"Idempotency-Key": "rotate-1"}}
    path = f"{ENDPOINTS}/{endpoint['id']}/rotate_secret"
    rotated, again = [answered(await edge.client.post(path, **repeat), 201) for _ in range(2)]
    assert rotated == again
    assert rotated["secret"] != endpoint["secret"]
    [older] = rotated["older_secrets"]
    assert older["secret"].endswith(endpoint["secret"][-4:])
    own = "moved over from elsewhere 12".replace(" ", "-")
    second = answered(await act(edge, endpoint, "rotate_secret", secret=own, overlap_s=60), 201)
    assert (second["secret"], second["standard_secret"][:6]) == (own, "whsec_")
    assert signing_key(second["standard_secret"]) == own.encode()
    check(await act(edge, endpoint, "rotate_secret"), 400, "too_many_webhook_secrets")
    leaked = answered(await act(edge, endpoint, "rotate_secret", overlap_s=0), 201)
    assert leaked["older_secrets"] == []
    check(await act(edge, endpoint, "rotate_secret", overlap_s=604_801), 400, "parameter_invalid")
    late = answered(await edge.client.post(path, json={}, **repeat), 201)
    assert (late["standard_secret"], late["secret"][-4:]) == (None, leaked["secret"][-4:])
    other = await edge.client.post(path, json={"overlap_s": 1}, **repeat)
    check(other, 422, "idempotency_key_reused")


async def test_another_merchant_finds_nothing(edge: Edge) -> None:
    endpoint = await made(edge)
    other = await other_merchant(edge.place)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    async with httpx.AsyncClient(base_url=edge.client.base_url, headers=other) as stranger:
        assert answered(await stranger.get(ENDPOINTS))["data"] == []
        check(await stranger.get(path), 404, "resource_missing")
        check(await stranger.patch(path, json={"rate_per_s": 1}), 404, "resource_missing")
        check(await stranger.delete(path), 404, "resource_missing")
        for action in ("rotate_secret", "verify", "enable", "disable"):
            check(await stranger.post(f"{path}/{action}"), 404, "resource_missing")
    assert answered(await edge.get(path))["status"] == "enabled"


async def test_a_test_is_one_event_under_one_key_for_this_endpoint_alone(edge: Edge) -> None:
    endpoint = await made(edge)
    path = f"{ENDPOINTS}/{endpoint['id']}/test"
    keyed = {"Idempotency-Key": "test-1"}
    first, again = [answered(await edge.client.post(path, headers=keyed), 202) for _ in range(2)]
    assert first == again
    assert (first["type"], first["endpoint_id"]) == ("webhook.test", endpoint["id"])
    drawn = await edge.client.post(path)
    assert answered(drawn, 202)["id"] != first["id"]
    echoed = {"Idempotency-Key": drawn.headers["Idempotency-Key"]}
    assert answered(await edge.client.post(path, headers=echoed), 202) == drawn.json()
    answered(await act(edge, endpoint, "disable"))
    check(await edge.client.post(path), 409, "webhook_endpoint_disabled")
    check(await edge.client.post(f"{WEBHOOK}/test"), 404, "resource_missing")


async def test_it_is_held_and_enabled(edge: Edge) -> None:
    endpoint = await made(edge)
    held, again = [answered(await act(edge, endpoint, "disable")) for _ in range(2)]
    assert (held["status"], held["disabled_reason"]) == ("disabled", "merchant")
    assert again == held
    for since in (held["disabled_at"], None):
        enabled = answered(await act(edge, endpoint, "enable"))
        assert (enabled["status"], enabled["disabled_at"]) == ("enabled", None)
        assert enabled["missed_since"] == since


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://user:pass@shop.example/",
        "ftp://shop.example/",
        "https://shop.example:6379/",
        "https://intranet/",
        "not a url",
    ],
)
async def test_webhooks_go_to_no_forbidden_place(edge: Edge, url: str) -> None:
    check(
        await edge.client.post(ENDPOINTS, json={**GOOD, "url": url}), 422, "webhook_url_forbidden"
    )
    endpoint = await made(edge)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    check(await edge.client.patch(path, json={"url": url}), 422, "webhook_url_forbidden")
    assert answered(await edge.get(path))["url"] == GOOD["url"]


async def test_the_seeds_settings_are_the_default_endpoint(edge: Edge) -> None:
    """08 R30."""
    url = "https://seed.example/hooks"
    answered(await edge.client.put(SETTINGS, json={"webhookUrl": url, "webhookSecret": "s3cret"}))
    [endpoint] = answered(await edge.get(ENDPOINTS))["data"]
    assert (endpoint["url"], endpoint["is_default"], endpoint["schedule"]) == (url, True, "seed")
    assert set(endpoint["event_types"]) == {
        *("payment.success", "payment.failed", "refund.processed")
    }
    path = f"{ENDPOINTS}/{endpoint['id']}"
    answered(await edge.client.patch(path, json={"url": "https://b.example/", "rate_per_s": 3}))
    config = answered(await edge.get("/api/v1/webhooks"))["config"]
    assert config["webhook_url"] == "https://b.example/"
    answered(await act(edge, endpoint, "disable"))
    answered(await edge.client.put(SETTINGS, json={"webhookUrl": url}))
    changed = answered(await edge.get(path))
    assert (changed["url"], changed["status"], changed["rate_per_s"]) == (url, "enabled", 3)
    renewed = answered(await edge.client.post(f"{WEBHOOK}/regenerate"), 201)
    assert (renewed["id"], len(renewed["older_secrets"])) == (endpoint["id"], 1)
    answered(await edge.client.delete(path))
    check(await edge.client.post(f"{WEBHOOK}/regenerate"), 404, "resource_missing")
    answered(await edge.client.patch(WEBHOOK, json={"webhook_url": url}))
    [second] = answered(await edge.get(ENDPOINTS))["data"]
    assert second["id"] != endpoint["id"]


class Receiver:
    """A receiver on this machine that answers OPTIONS as it is told."""

    def __init__(self) -> None:
        self.allowed = "Other"
        self.asked = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        head = f"HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: {self.allowed}\r\n"
        head += "WebHook-Allowed-Rate: 120\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    async with server:
        yield receiver


async def test_a_receiver_is_asked_and_its_rate_is_heeded(edge: Edge) -> None:
    async with receiving() as receiver:
        endpoint = await made(edge, url=receiver.url)
        assert receiver.asked == 0, "in test mode nobody has to agree"
        refused = await act(edge, endpoint, "verify")
        check(refused, 400, "webhook_verification_failed")
        shown = answered(await edge.get(f"{ENDPOINTS}/{endpoint['id']}"))
        assert (shown["status"], shown["verified_at"]) == ("enabled", None)
        assert "another's" in shown["verification_error"]
        receiver.allowed = "headgate"
        verified = answered(await act(edge, endpoint, "verify"))
        assert (verified["allowed_per_min"], verified["verification_error"]) == (120, None)
        assert verified["verified_at"] is not None
        assert receiver.asked == 2
        codes = [(await act(edge, endpoint, "verify")).status_code for _ in range(9)]
        assert codes[-1] == 429
        assert receiver.asked == 10


async def test_live_webhooks_wait_for_a_receiver_that_is_not_there(edge: Edge) -> None:
    """04 §10.5: nobody gets live webhooks who has not asked for them."""
    pair = answered(await edge.client.get("/api/v1/merchant"))
    await edge.place.rows(
        "insert into api_keys(id, merchant_id, mode, secret_hash, scopes) values("
        "'key_live_1', $1, 'live', sha256('secret_live_1'), '{webhooks:read,webhooks:write}')",
        pair["id"],
    )
    await edge.place.rows("update configuration set version = version + 1")
    headers = {"Authorization": LIVE}
    async with httpx.AsyncClient(
        base_url=edge.client.base_url, headers=headers, timeout=30
    ) as live:
        body = {**GOOD, "url": "https://nobody.invalid/hooks"}
        endpoint = answered(await live.post(ENDPOINTS, json=body), 201)
        assert (endpoint["status"], endpoint["disabled_reason"]) == ("disabled", "unverified")
        assert endpoint["verification_error"]
        assert endpoint["secret"].startswith("whsec_")
        path = f"{ENDPOINTS}/{endpoint['id']}"
        check(await live.post(f"{path}/enable"), 400, "webhook_endpoint_unverified")
        check(await live.post(f"{path}/verify"), 400, "webhook_verification_failed")
        told = answered(await live.put(SETTINGS, json={"webhookUrl": body["url"]}))
        assert told["success"] is True
        assert told["verification_error"]
        data = answered(await live.get(ENDPOINTS))["data"]
        assert [one["status"] for one in data] == ["disabled", "disabled"]
        plain = {**GOOD, "url": "http://127.0.0.1:9000/"}
        check(await live.post(ENDPOINTS, json=plain), 422, "webhook_url_forbidden")
