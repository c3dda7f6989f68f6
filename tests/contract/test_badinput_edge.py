"""The bad-input catalogue of 07 §8 against a running edge: JSON always, a 500 or HTML never."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.tables.merchants import DEMO_KEY, DEMO_SECRET
from tests.contract.bad_input import JSON, PAN, check
from tests.system.harness_edge import PAYMENTS, Edge, other_merchant, running_edge, with_demo
from tests.system.harness_place import opened

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

GOOD: dict[str, Any] = {"amount": 100, "order_id": "b1", "method": "upi"}
MISSING = object()
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def edge_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's edge logs."""
    return tmp_path_factory.mktemp("edge")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(stack: Stack, edge_folder: Path) -> AsyncIterator[Edge]:
    """One edge for the whole catalogue, without workers."""
    limits = {"HEADGATE_READ_WAIT_MS": "200", "HEADGATE_BODY_WAIT_MS": "700"}
    async with (
        opened(stack, **limits) as place,
        running_edge(await with_demo(place), edge_folder) as running,
    ):
        yield running


def body_with(**change: object) -> bytes:
    """A good body with members changed, or taken out when MISSING."""
    members = {name: value for name, value in {**GOOD, **change}.items() if value is not MISSING}
    return json.dumps(members).encode()


CREATES: list[tuple[str, bytes, Mapping[str, str], int, str | None]] = [
    ("valid", body_with(), JSON, 201, None),
    ("amount missing", body_with(amount=MISSING), JSON, 400, "parameter_missing"),
    ("amount null", body_with(amount=None), JSON, 400, "parameter_missing"),
    ("amount 0", body_with(amount=0), JSON, 400, "parameter_invalid"),
    ("amount -100", body_with(amount=-100), JSON, 400, "parameter_invalid"),
    ("amount '100'", body_with(amount="100"), JSON, 400, "parameter_invalid"),
    ("amount 'abc'", body_with(amount="abc"), JSON, 400, "parameter_invalid"),
    ("amount true", body_with(amount=True), JSON, 400, "parameter_invalid"),
    ("amount []", body_with(amount=[100]), JSON, 400, "parameter_invalid"),
    ("amount {}", body_with(amount={"$gt": 0}), JSON, 400, "parameter_invalid"),
    ("amount 10.5", body_with(amount=10.5), JSON, 400, "parameter_invalid"),
    ("amount 1e3", body_with().replace(b"100", b"1e3"), JSON, 400, "parameter_invalid"),
    ("amount NaN", body_with(amount=float("nan")), JSON, 400, "json_malformed"),
    ("amount 2^31", body_with(amount=2**31), JSON, 201, None),
    ("amount 10^12", body_with(amount=10**12), JSON, 201, None),
    ("amount 10^12+1", body_with(amount=10**12 + 1), JSON, 400, "amount_too_large"),
    ("amount 2^63", body_with(amount=2**63), JSON, 400, "amount_too_large"),
    ("amount 10^400", body_with(amount=10**400), JSON, 400, "amount_too_large"),
    ("currency XXXX", body_with(currency="XXXX"), JSON, 400, "currency_unsupported"),
    ("currency zzz", body_with(currency="zzz"), JSON, 400, "currency_unsupported"),
    ("currency empty", body_with(currency=""), JSON, 400, "currency_unsupported"),
    ("currency inr", body_with(currency="inr"), JSON, 400, "currency_unsupported"),
    ("method unknown", body_with(method="bitcoin"), JSON, 400, "parameter_invalid"),
    ("method 200 chars", body_with(method="x" * 200), JSON, 400, "parameter_invalid"),
    ("order_id missing", body_with(order_id=MISSING), JSON, 400, "parameter_missing"),
    ("order_id empty", body_with(order_id=""), JSON, 400, "parameter_invalid"),
    ("order_id 10k", body_with(order_id="x" * 10_000), JSON, 400, "parameter_invalid"),
    ("order_id NUL", body_with(order_id="a\0b"), JSON, 400, "parameter_invalid"),
    ("order_id surrogate", body_with(order_id="\ud800"), JSON, 400, "parameter_invalid"),
    ("order_id control", body_with(order_id="a\x1bb"), JSON, 400, "parameter_invalid"),
    ("order_id SQL", body_with(order_id="x'; DROP TABLE payments;--"), JSON, 201, None),
    ("order_id HTML", body_with(order_id="<script>alert(1)</script>"), JSON, 201, None),
    ("unknown field", body_with(hacker=True), JSON, 201, None),
    ("status and id", body_with(status="success", id="pay_mine"), JSON, 201, None),
    ("PAN, no expiry", body_with(method="card", card={"number": PAN}), JSON,
     400, "parameter_missing"),
    ("PAN in metadata", body_with(metadata={"x": PAN}), JSON,
     400, "parameter_invalid"),
    ("body empty", b"", JSON, 400, "json_malformed"),
    ("body {", b"{", JSON, 400, "json_malformed"),
    ("body null", b"null", JSON, 400, "parameter_invalid"),
    ("body []", b"[]", JSON, 400, "parameter_invalid"),
    ("body string", b'"str"', JSON, 400, "parameter_invalid"),
    ("not UTF-8", b'{"amount": 100, "order_id": "\xff\xfe", "method": "upi"}', JSON,
     400, "json_malformed"),
    ("repeated name", b'{"amount": 1, "amount": 100, "method": "upi", "order_id": "d"}', JSON,
     400, "json_malformed"),
    ("depth 5000", b"[" * 5000 + b"]" * 5000, JSON, 400, "json_malformed"),
    ("200 kB", body_with(note="x" * 200_000), JSON, 413, "payload_too_large"),
    ("2 MB", body_with(note="x" * 2_000_000), JSON, 413, "payload_too_large"),
    ("text/plain", body_with(), {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ("no content type", body_with(), {}, 415, "unsupported_media_type"),
    ("form", b"amount=100", {"Content-Type": "application/x-www-form-urlencoded"},
     415, "unsupported_media_type"),
    ("gzip", body_with(), {**JSON, "Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
    ("key 300", body_with(), {**JSON, "Idempotency-Key": "k" * 300}, 400, "parameter_invalid"),
    ("key empty", body_with(), {**JSON, "Idempotency-Key": ""}, 400, "parameter_invalid"),
    ("key not ASCII", body_with(), {**JSON, "Idempotency-Key": "k\u00e9"},
     400, "parameter_invalid"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [case[1:] for case in CREATES],
    ids=[case[0] for case in CREATES],
)
async def test_a_create_is_answered_as_the_catalogue_says(
    edge: Edge, body: bytes, headers: Mapping[str, str], status: int, code: str | None
) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = await edge.client.post(PAYMENTS, content=body, headers=raw)
    check(answer, status, code)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": ""}, "api_key_invalid"),
        ({"Authorization": "Bearer wrong"}, "api_key_invalid"),
        ({"Authorization": f"wrong-Bearer {DEMO_SECRET}"}, "api_key_invalid"),
        ({"X-Api-Key": DEMO_KEY}, "api_key_missing"),
        ({"X-Api-Key": DEMO_KEY, "X-Api-Secret": "wrong"}, "api_key_invalid"),
        ({"X-Api-Key": "wrong", "X-Api-Secret": DEMO_SECRET}, "api_key_invalid"),
        ({}, "api_key_missing"),
    ],
)
async def test_without_a_right_key_everything_is_401(
    edge: Edge, headers: dict[str, str], code: str
) -> None:
    async with httpx.AsyncClient(base_url=edge.client.base_url, headers=headers) as client:
        check(await client.post(PAYMENTS, json=GOOD), 401, code)
        check(await client.get(PAYMENTS), 401, code)
        check(await client.get(f"{PAYMENTS}/pay_x"), 401, code)
        check(await client.get("/api/v1/webhooks"), 401, code)
        check(await client.put("/api/v1/webhooks/settings", json={}), 401, code)
        check(await client.post("/api/v1/webhooks/x/retry"), 401, code)
        check(await client.get("/api/v1/operations/x"), 401, code)


async def test_the_seeds_key_pair_works(edge: Edge) -> None:
    pair = {"X-Api-Key": DEMO_KEY, "X-Api-Secret": DEMO_SECRET}
    async with httpx.AsyncClient(base_url=edge.client.base_url, headers=pair) as client:
        check(await client.post(PAYMENTS, json=GOOD), 201, None)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("DELETE", PAYMENTS, 405, "method_not_allowed"),
        ("BREW", PAYMENTS, 400, "http_malformed"),
        ("PATCH", PAYMENTS, 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("GET", "/api/v1/webhooks/settings", 405, "method_not_allowed"),
        ("GET", "/nope", 404, "resource_missing"),
        ("POST", "/api/v1/payments/", 404, "resource_missing"),
        ("GET", f"{PAYMENTS}/..%2f..%2fetc", 404, "resource_missing"),
        ("GET", f"{PAYMENTS}/pay_NOT-AN-ID", 404, "resource_missing"),
        ("GET", f"{PAYMENTS}/%00", 404, "resource_missing"),
        ("GET", "/api/v1/operations/nope", 404, "resource_missing"),
        ("POST", "/api/v1/webhooks/not-a-uuid/retry", 404, "resource_missing"),
        ("POST", "/api/v1/webhooks/dlv_aaaaaaaaaaaaaaaaaaaaaaaaaa/retry", 404, "resource_missing"),
        ("GET", f"{PAYMENTS}?limit=abc", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?limit=-1", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?limit=0", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?limit=1000000000", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?limit=%D9%A3", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?starting_after=nobody", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?ending_before=pay_aaaaaaaaaaaaaaa", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}?starting_after=x&ending_before=y", 400, "parameter_invalid"),
        *(
            ("GET", f"{PAYMENTS}?{query}", 400, "parameter_invalid")
            for query in (
                "status=banana",
                "state=success",
                "method=bitcoin",
                "currency=inr",
                "order_id=%00",
                "order_id=" + "x" * 300,
                "created[gte]=yesterday",
                "created[lt]=-1",
                "created[lt]=99999999999999",
                "created[after]=2026-01-01",
                "amount[gt]=-1",
                "amount[gt]=abc",
                "amount[gt]=1.5",
                "amount[gt]=99999999999999999999",
                "metadata[k]=%00",
                "metadata[%1b]=x",
                "colour[eq]=red",
                f"limit={PAN}",
            )
        ),
        ("GET", f"{PAYMENTS}/pay_aaaaaaaaaaaaaaa?expand[]=cats", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}/pay_aaaaaaaaaaaaaaa?as_of=soon", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}/pay_aaaaaaaaaaaaaaa/timeline?limit=0", 400, "parameter_invalid"),
        ("GET", f"{PAYMENTS}/pay_NOT/captures", 404, "resource_missing"),
        ("GET", f"{PAYMENTS}/..%2f..%2fetc/refunds", 404, "resource_missing"),
        ("GET", f"{PAYMENTS}/{PAN}/timeline", 404, "resource_missing"),
        ("GET", "/api/v1/captures/cap_1", 404, "resource_missing"),
        ("GET", "/api/v1/refunds/rfnd_1", 404, "resource_missing"),
        ("GET", "/api/v1/refunds/%00", 404, "resource_missing"),
        ("GET", "/api/v1/refunds?status=success", 400, "parameter_invalid"),
        ("GET", "/api/v1/refunds?limit=abc", 400, "parameter_invalid"),
        ("GET", "/api/v1/refunds?starting_after=nobody", 400, "parameter_invalid"),
        ("DELETE", "/api/v1/refunds", 405, "method_not_allowed"),
        ("GET", "/api/v1/events/evt_1", 404, "resource_missing"),
        ("GET", "/api/v1/events?after=garbage", 400, "parameter_invalid"),
        ("GET", "/api/v1/events?types[]=payment.eaten", 400, "parameter_invalid"),
        ("GET", "/api/v1/events?limit=1000", 400, "parameter_invalid"),
        ("GET", "/api/v1/events?object=nothing", 400, "parameter_invalid"),
        ("GET", "/api/v1/events/stream?types[]=payment.eaten", 400, "parameter_invalid"),
        ("GET", "/errors/nope", 404, "resource_missing"),
        ("GET", "/errors/%3Cscript%3E", 404, "resource_missing"),
        ("GET", "/api/v1/webhooks?limit=abc", 400, "parameter_invalid"),
        ("GET", "/api/v1/webhooks?offset=-1", 400, "parameter_invalid"),
    ],
)
async def test_odd_paths_and_queries_are_problems(
    edge: Edge, method: str, path: str, status: int, code: str
) -> None:
    answer = await edge.client.request(method, path)
    check(answer, status, code)


@pytest.mark.parametrize(
    "position",
    ["", "now", "3@7", "payments.commands/3", "payments.commands/3@-1", "payments.commands/99@1",
     "payments.facts/0@1", "payments.commands/0@" + "9" * 30, PAN],
)  # fmt: skip
async def test_a_position_that_is_none_is_refused(edge: Edge, position: str) -> None:
    answer = await edge.client.get(PAYMENTS, headers={"Consistent-With": position})
    check(answer, 400, "parameter_invalid")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "json_malformed"),
        (b"{}", 400, "parameter_missing"),
        (b'{"webhookSecret": ""}', 400, "parameter_invalid"),
        (b'{"webhookUrl": 7}', 400, "parameter_invalid"),
        (b'{"webhookUrl": ""}', 422, "webhook_url_forbidden"),
        *(
            (json.dumps({"webhookUrl": url}).encode(), 422, "webhook_url_forbidden")
            for url in (
                "http://169.254.169.254/",
                "http://0x7f.1/",
                "http://2130706433/",
                "http://[::ffff:10.0.0.1]/",
                "http://[64:ff9b::a00:1]/",
                "http://user:pw@example.com/",
                "https://example.com:22/",
                "https://example.com:6379/",
                "file:///etc/passwd",
                "javascript:alert(1)",
                "gopher://example.com/",
                "https://example.com/" + "x" * 2100,
            )
        ),
    ],
)
async def test_webhook_settings_refuse_what_they_must(
    edge: Edge, body: bytes, status: int, code: str
) -> None:
    answer = await edge.client.put("/api/v1/webhooks/settings", content=body, headers=JSON)
    check(answer, status, code)


def beside(payment_id: str, partitions: int) -> str:
    """The id of no payment, in the partition of this one: what waits for settle is one partition,
    so that only there an unknown one must be answered alike."""
    partition = ids.partition_of(payment_id, partitions)
    unknown = (f"pay_{'a' * 13}{x}{y}" for x in "abcdefgh" for y in "abcdefgh")
    return next(found for found in unknown if ids.partition_of(found, partitions) == partition)


async def test_another_merchants_things_do_not_exist(edge: Edge) -> None:
    """I17: a merchant never sees another's data."""
    mine = (await edge.create()).json()["id"]
    theirs = await other_merchant(edge.place)
    async with httpx.AsyncClient(base_url=edge.client.base_url, headers=theirs) as client:
        answer = await client.get(f"{PAYMENTS}/{mine}")
        # Without a settle worker it is not known yet, which tells no more than a 404 does.
        assert answer.status_code in (404, 503)
        unknown = await client.get(f"{PAYMENTS}/{beside(mine, edge.place.settings.partitions)}")
        assert answer.status_code == unknown.status_code
        assert (await client.get(PAYMENTS)).json()["data"] == []


RAW: list[tuple[str, bytes, int, str]] = [
    ("no HTTP", b"hello\r\n\r\n", 400, "http_malformed"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "http_malformed"),
    ("length no number", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
     400, "http_malformed"),
    ("length twice", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
     400, "http_malformed"),
    ("length and chunked", b"POST / HTTP/1.1\r\nContent-Length: 4\r\n%s\r\n0\r\n\r\n"
     % CHUNKED, 400, "http_malformed"),
    ("bad chunk", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     400, "http_malformed"),
    ("long header", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
     431, "headers_too_large"),
    ("header without end", b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, 431, "headers_too_large"),
    ("long path", b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 431, "headers_too_large"),
    ("1,000 headers", b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: 1\r\n" % n for n in range(1000))
     + b"\r\n", 431, "headers_too_large"),
    ("head that stops", b"GET / HTT", 408, "request_timeout"),
    ("silence", b"", 408, "request_timeout"),
    ("body that stops", b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
     408, "request_timeout"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "status", "code"), [case[1:] for case in RAW], ids=[case[0] for case in RAW]
)
async def test_what_is_not_http_is_refused_in_json_and_the_connection_closed(
    edge: Edge, sent: bytes, status: int, code: str
) -> None:
    answer = await exchange(edge.port, sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"connection: close" in head.lower()
    assert b"application/problem+json" in head
    assert b"\r\nrequest-id: req_" in head
    assert b"\r\nshould-retry: " in head
    assert json.loads(body)["code"] == code


async def exchange(port: int, sent: bytes) -> bytes:
    """Everything that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_an_endless_body_is_cut_off(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def pour() -> None:
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)  # Full buffers wait, others do not: the answer must be read too.

    pouring = asyncio.create_task(pour())
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 10)
    assert b"413" in answer.split(b"\r\n")[0]
    await asyncio.wait({pouring}, timeout=10)
    assert isinstance(pouring.exception(), ConnectionError)
    writer.close()


async def test_an_answer_under_way_is_finished_before_garbage_is_refused(edge: Edge) -> None:
    good = b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await exchange(edge.port, good + b"garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 "), "not ready: no workers run here"
    assert b"http_malformed" not in answer


async def test_a_client_that_leaves_in_mid_body_disturbs_nobody(edge: Edge) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
        writer.transport.abort()
    check(await edge.client.post(PAYMENTS, json=GOOD), 201, None)
    assert "fault" not in edge.log.read_text()
    assert "Traceback" not in edge.log.read_text()
