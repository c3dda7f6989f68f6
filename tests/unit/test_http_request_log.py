"""The request log: what belongs in it, what never does, and that it slows nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response

from headgate.http.exchange import Exchange
from headgate.http.metrics import Metrics
from headgate.http.problems_of_requests import KeyReused, ResourceMissing
from headgate.http.request_log import BATCH_MAX, Entry, Outcome, RequestLog
from headgate.http.routing import at, json_answer
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres, RowRefused
from tests.unit.gates import gate_of

CARD = "4242424242424242"
KEY = ApiKey(id="key_test_1", merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False)
PERSON = ApiKey(
    id="operator:opr_1", merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False
)
FINE = Outcome(201, replayed=False, refusal=b"", seconds=0.0123)
WRONG = Outcome(401, replayed=False, refusal=b'{"code": "api_key_invalid"}', seconds=0.001)


class Store:
    """PostgreSQL that takes down what it is given, or raises."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.entries: list[Entry] = []
        self.batches: list[int] = []
        self.uses: list[str] = []

    async def fetch(self, name: str, *columns: Sequence[Any]) -> None:
        """Take the rows of a statement."""
        if self.errors:
            raise self.errors.pop(0)
        if name == "note_key_uses":
            self.uses += columns[0]
            return
        self.batches.append(len(columns[0]))
        self.entries += [Entry(*row) for row in zip(*columns, strict=True)]

    async def written(self, log: RequestLog) -> list[Entry]:
        """What the log writes now."""
        await log.write(cast("Postgres", self))
        return self.entries


def log_of(waiting_max: int = 100) -> tuple[RequestLog, Metrics]:
    """A request log and its metrics."""
    metrics = Metrics()
    return RequestLog(Settings(request_log_waiting_max=waiting_max), metrics), metrics


def scope(method: str = "POST", key: ApiKey | None = KEY, number: int = 0) -> dict[str, Any]:
    """A request as the gate left it."""
    return {
        "method": method,
        "path": "/api/v1/payments",
        "headers": [],
        "headgate.request_id": f"req_{number}",
        "headgate.route": "/api/v1/payments",
        "headgate.api_key": key,
    }


async def seen(method: str, path: str, **more: Any) -> list[Entry]:
    """What the log has after this request to an app of three routes."""

    async def take(exchange: Exchange) -> Response:
        exchange.asked_by(KEY)
        exchange.is_about("pay_1")
        replayed = {"Idempotent-Replayed": "true"} if "again" in exchange.query() else {}
        return json_answer({"secret": CARD}, 201, replayed)

    async def refuse(exchange: Exchange) -> Response:
        exchange.asked_by(KEY)
        if exchange.method == "POST":
            raise KeyReused("other body", param="Idempotency-Key")
        raise ResourceMissing(exchange.path("id"))

    log, _ = log_of()
    routes = [
        at("/api/v1/payments", GET=take, POST=take),
        at("/api/v1/payments/{id}", GET=refuse, POST=refuse),
        at("/health", GET=refuse),
    ]
    app = Starlette(routes=routes, middleware=[gate_of(Settings(), log)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        await client.request(method, path, **more)
    return await Store().written(log)


async def test_a_change_is_noted_with_all_that_is_known_of_it() -> None:
    [entry] = await seen("POST", "/api/v1/payments", headers={"Idempotency-Key": "k"})
    assert entry.id.startswith("req_")
    assert entry[2:11] == (
        "mer_1", "test", "key_test_1", "POST", "/api/v1/payments", 201, None, "fresh", "pay_1",
    )  # fmt: skip
    assert entry.duration_us > 0


async def test_a_read_is_noted_only_when_it_was_refused() -> None:
    assert await seen("GET", "/api/v1/payments") == []
    [entry] = await seen("GET", "/api/v1/payments/nowhere")
    assert (entry.status, entry.code, entry.payment_id) == (404, "resource_missing", None)


@pytest.mark.parametrize(
    ("path", "sent", "told"),
    [
        ("/api/v1/payments", {}, None),
        ("/api/v1/payments", {"Idempotency-Key": "k"}, "fresh"),
        ("/api/v1/payments?again=1", {"Idempotency-Key": "k"}, "replayed"),
        ("/api/v1/payments/pay_1", {"Idempotency-Key": "k"}, "conflict"),
    ],
)
async def test_what_became_of_the_idempotency_key(
    path: str, sent: dict[str, str], told: str | None
) -> None:
    [entry] = await seen("POST", path, headers=sent)
    assert entry.idempotency == told


async def test_nothing_that_the_client_wrote_is_noted() -> None:
    for method, path in (("POST", "/api/v1/payments"), ("GET", "/api/v1/payments/")):
        [entry] = await seen(
            method,
            f"{path}{CARD if method == 'GET' else ''}?card={CARD}",
            content=CARD,
            headers={"Idempotency-Key": f"k{CARD}", "Authorization": f"Bearer {CARD}"},
        )
        assert CARD not in repr(entry)
    [entry] = await seen(f"X{CARD}", "/api/v1/payments")
    assert (entry.method, entry.status) == ("other", 405)


async def test_health_and_other_services_are_not_noted() -> None:
    assert await seen("GET", "/health") == []


async def test_what_finds_no_place_is_dropped_and_counted() -> None:
    log, metrics = log_of(waiting_max=4)
    for number in range(6):
        log.note(scope(number=number), FINE)
    assert metrics.registry.get_sample_value("headgate_request_log_waiting") == 4
    assert metrics.registry.get_sample_value("headgate_request_log_dropped_total") == 2
    assert len(await Store().written(log)) == 4
    assert metrics.registry.get_sample_value("headgate_request_log_waiting") == 0


async def test_strangers_cannot_push_out_those_who_have_a_key() -> None:
    log, _ = log_of(waiting_max=4)
    for number in range(6):
        log.note(scope(key=None, number=number), WRONG)
    log.note(scope(number=7), FINE)
    entries = await Store().written(log)
    assert [entry.merchant_id for entry in entries] == [None, None, "mer_1"]


async def test_what_postgresql_does_not_take_is_offered_again() -> None:
    log, _ = log_of()
    log.note(scope(), FINE)
    store = Store(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable):
        await store.written(log)
    assert len(await store.written(log)) == 1
    assert (len(store.entries), store.uses) == (1, ["key_test_1"])
    assert len(await store.written(log)) == 1, "it was written twice"


async def test_what_postgresql_will_never_take_holds_up_nothing() -> None:
    log, metrics = log_of()
    log.note(scope(), FINE)
    store = Store(RowRefused("22"))
    await store.written(log)
    log.note(scope(number=1), FINE)
    assert [entry.id for entry in await store.written(log)] == ["req_1"]
    assert metrics.registry.get_sample_value("headgate_request_log_dropped_total") == 1


async def test_batches_are_bounded() -> None:
    log, _ = log_of(waiting_max=BATCH_MAX * 2)
    for number in range(BATCH_MAX + 1):
        log.note(scope(number=number), FINE)
    store = Store()
    await store.written(log)
    assert store.batches == [BATCH_MAX, 1]


async def test_the_use_of_a_key_is_noted_also_for_reads_but_a_persons_is_not() -> None:
    log, _ = log_of()
    log.note(scope("GET"), Outcome(200, replayed=False, refusal=b"", seconds=0.001))
    log.note(scope(key=PERSON), FINE)
    store = Store()
    [entry] = await store.written(log)
    assert entry.key_id == "operator:opr_1"
    assert store.uses == ["key_test_1"]


async def test_a_key_that_works_no_longer_was_not_used() -> None:
    log, _ = log_of()
    log.note(scope(), WRONG)
    store = Store()
    [entry] = await store.written(log)
    assert (entry.key_id, entry.code) == ("key_test_1", "api_key_invalid")
    assert store.uses == []


@pytest.mark.parametrize("refusal", [b"", b"<html>", b"[]", b"{}"])
async def test_an_answer_that_is_no_problem_has_no_code(refusal: bytes) -> None:
    log, _ = log_of()
    log.note(scope(), Outcome(500, replayed=False, refusal=refusal, seconds=0.0))
    [entry] = await Store().written(log)
    assert entry.code is None
