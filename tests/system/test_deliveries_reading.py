"""Deliveries and attempts through the API: lists, filters, cursors, and nothing of others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from tests.contract.documented import check_documented
from tests.system.harness_edge import Edge, other_merchant, running_edge, with_demo
from tests.system.harness_place import Place, opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DELIVERIES = "/api/v1/webhook_deliveries"
WORDS = ("pending", "success", "failed", "held", "parked", "canceled")
FILL = """
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, payment_id, type,
        status, attempts, next_retry_at, created_at)
    select 'dlv_' || lpad(translate(n::text, '0123456789', 'abcdefghij'), 26, 'a'), 'evt_' || n,
        'whe_' || n % 2, $1, 'test', 'pay_' || n % 3, 'payment.success', ($2::text[])[n % 6 + 1],
        1, case when n % 6 = 0 then $3::timestamptz + interval '1 hour' end,
        $3::timestamptz + n * interval '1 day'
    from generate_series(0, 11) n
"""
ATTEMPTS = """
    insert into webhook_attempts(delivery_id, delivery_created_at, token, attempt, manual, kind,
        status_code, error, answer, request_headers, answer_headers, connect_ms, first_byte_ms,
        started_at, duration_ms, next_attempt, next_at)
    select d.id, d.created_at, d.id || '.' || n, n, false, 'failed', 500, 'it answered 500', 'no',
        '{"webhook-id": "evt_0"}', '{"server": "shop"}', 1, 2, d.created_at + n * interval '1 s',
        3, n + 1, d.next_retry_at
    from webhook_deliveries d, generate_series(1, 5) n where d.event_id = 'evt_0'
"""


async def fill(place: Place) -> datetime:
    """Twelve deliveries, a day apart, over several weeks, the first with five attempts."""
    merchant = (await place.rows("select id from merchants"))[0]["id"]
    first = datetime.now(UTC) - timedelta(days=8)
    await place.rows(FILL, merchant, list(WORDS), first)
    await place.rows(ATTEMPTS)
    return first


async def page(edge: Edge, path: str = DELIVERIES, **query: str) -> Any:
    """A page of a list."""
    answer = await edge.get(path, **query)
    assert answer.status_code == 200, answer.text
    check_documented(answer)
    return answer.json()


async def walked(edge: Edge) -> list[str]:
    """The events of all pages, one after the other."""
    answer = await page(edge, limit="5")
    seen = [one["event_id"] for one in answer["data"]]
    while answer["has_more"]:
        answer = await page(edge, limit="5", starting_after=answer["next_cursor"])
        seen += [one["event_id"] for one in answer["data"]]
    return seen


async def test_deliveries_are_listed_filtered_and_paged(stack: Stack, tmp_path: Path) -> None:
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        first = await fill(place)
        everything = [one["event_id"] for one in (await page(edge, limit="50"))["data"]]
        assert everything == [f"evt_{n}" for n in range(11, -1, -1)]
        assert await walked(edge) == everything
        edge_of_week = (first + timedelta(days=6)).isoformat()
        for filters, wanted in (
            ({"status": "failed"}, {2, 8}),
            ({"endpoint_id": "whe_1", "status": "success"}, {1, 7}),
            ({"endpoint_id": "whe_0"}, {0, 2, 4, 6, 8, 10}),
            ({"payment_id": "pay_2"}, {2, 5, 8, 11}),
            ({"event_id": "evt_4"}, {4}),
            ({"type": "payment.failed"}, set()),
            ({"created[gte]": edge_of_week, "created[lt]": "2100-01-01"}, {6, 7, 8, 9, 10, 11}),
        ):
            found = await page(edge, limit="50", **filters)
            assert {int(one["event_id"][4:]) for one in found["data"]} == wanted, filters


async def test_a_delivery_shows_its_attempts_to_its_merchant_alone(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        await fill(place)
        oldest = (await page(edge, limit="50"))["data"][-1]
        path = f"{DELIVERIES}/{oldest['id']}"
        plain = await page(edge, path)
        assert "attempts" not in plain
        assert plain == oldest
        expanded = await page(edge, path, **{"expand[]": "attempts"})
        assert [one["attempt"] for one in expanded["attempts"]] == [5, 4, 3, 2, 1]
        last = expanded["attempts"][0]
        assert last["response"] == {"status": 500, "headers": {"server": "shop"}, "body": "no"}
        listed = await page(edge, f"{path}/attempts", limit="2")
        assert listed["data"] == expanded["attempts"][:2]
        rest = await page(edge, f"{path}/attempts", starting_after=listed["next_cursor"])
        assert ([one["attempt"] for one in rest["data"]], rest["has_more"]) == ([3, 2, 1], False)
        theirs = await other_merchant(place)
        for ending in ("", "/attempts"):
            foreign = await edge.client.get(f"{path}{ending}", headers=theirs)
            assert (foreign.status_code, foreign.json()["code"]) == (404, "resource_missing")
        foreign = await edge.client.post(f"{path}/retry", headers=theirs)
        assert foreign.status_code == 404
        assert (await edge.client.get(DELIVERIES, headers=theirs)).json()["data"] == []


async def test_nonsense_is_refused_and_fifty_readers_at_once_are_served(
    stack: Stack, tmp_path: Path
) -> None:
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        await fill(place)
        for query in (
            {"status": "lost"},
            {"limit": "0"},
            {"starting_after": "dlv_x"},
            {"starting_after": "dlv_" + "z" * 26},
            {"created[about]": "now"},
            {"created[gt]": "soon"},
            {"event_id": "evt\x00"},
        ):
            answer = await edge.get(DELIVERIES, **query)
            assert (answer.status_code, answer.json()["code"]) == (400, "parameter_invalid"), query
        for nowhere in ("dlv_x", "dlv_" + "z" * 26, "..", "dlv_" + "a" * 4000):
            answer = await edge.client.get(f"{DELIVERIES}/{nowhere}")
            assert answer.status_code in (404, 431), nowhere
        pages = await asyncio.gather(*(page(edge, limit="12") for _ in range(50)))
        assert {len(one["data"]) for one in pages} == {12}
