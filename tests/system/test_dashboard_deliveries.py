"""The screen Deliveries over real rows: filters, pages, attempts, and nobody else's."""

from __future__ import annotations

import httpx
import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

MERCHANTS = """
    insert into merchants(id, name, email) select 'mer_' || x, x, x || '@example.com'
    from unnest('{a,b}'::text[]) x
"""
ENDPOINTS = """
    insert into webhook_endpoints(id, merchant_id, mode, url, sealed_secret, event_types, schedule)
    select 'whe_' || x, 'mer_' || x, 'test', 'https://' || x || '.example/hook', 's', '{*}', 'seed'
    from unnest('{a,b}'::text[]) x
"""
DELIVERIES = """
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, payment_id, type,
        status, attempts, last_attempt_at, next_retry_at, response_code, created_at)
    select 'dlv_' || x || '_' || n, 'evt_' || x || n, 'whe_' || x, 'mer_' || x, 'test', 'pay_' || n,
        case n when 3 then 'payment.failed' else 'payment.success' end,
        case n when 1 then 'pending' when 2 then 'failed' else 'success' end, 2, now(),
        case n when 1 then now() + interval '4 minutes' end, 500, now() - n * interval '1 hour'
    from unnest('{a,b}'::text[]) x, generate_series(1, $1::int) n
"""
ATTEMPTS = """
    insert into webhook_attempts(delivery_id, delivery_created_at, token, attempt, manual, kind,
        status_code, error, answer, request_headers, answer_headers, connect_ms, first_byte_ms,
        started_at, duration_ms, next_attempt, next_at)
    select id, created_at, id || '.' || n, n, false, 'failed', 500, 'it answered 500',
        '<b>no</b>', '{"webhook-id": "evt_1", "webhook-timestamp": "1795680000"}',
        '{"server": "shop"}', 1, 2, now() - 10 * (3 - n) * interval '1 s', 42, n + 1,
        case n when 2 then next_retry_at end
    from webhook_deliveries, generate_series(1, 2) n where id like '%\\_1'
"""
BODIES = """
    insert into webhook_events(event_id, merchant_id, mode, type, payload, created_at)
    select event_id, merchant_id, mode, type, '{"the": "body"}', created_at
    from webhook_deliveries where id like '%\\_1'
"""


async def fill(place: Place, deliveries: int = 4) -> None:
    """Two merchants with an endpoint each and the same deliveries."""
    for sql in (MERCHANTS, ENDPOINTS):
        await place.rows(sql)
    await place.rows(DELIVERIES, deliveries)
    for sql in (ATTEMPTS, BODIES):
        await place.rows(sql)


async def test_deliveries_are_filtered_and_paged(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await fill(place, 60)
        page = (await looks.get("/deliveries")).text
        assert page.count('<tr id="dlv_') == 50
        assert "dlv_a_1" in page
        assert "dlv_b_1" in page
        assert "2 of 5" in page
        assert "in <code>delay.1m</code>" in page
        assert "42 ms" in page
        for query, wanted in (
            ("status=failed", {"dlv_a_2", "dlv_b_2"}),
            ("endpoint=whe_b&status=pending", {"dlv_b_1"}),
            ("type=payment.failed&endpoint=whe_a", {"dlv_a_3"}),
            ("status=held", set()),
            ("endpoint=whe_a&before=dlv_a_57", {"dlv_a_58", "dlv_a_59", "dlv_a_60"}),
        ):
            rows = (await looks.get(f"/deliveries?{query}")).text.split('<tr id="')[1:]
            assert {row.split('"')[0] for row in rows} == wanted, query
        assert (await looks.get("/deliveries?since=yesterday")).status_code == 400
        looks.as_merchant("mer_a")
        first = (await looks.get("/deliveries")).text
        older = first.split("/dashboard/deliveries?before=")[1].split('"')[0]
        assert older == "dlv_a_50"


async def test_a_delivery_shows_its_attempts_and_what_was_signed(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await fill(place)
        page = (await looks.get("/deliveries/dlv_a_1")).text
        assert "evt_1.1795680000.{&#34;the&#34;: &#34;body&#34;}" in page
        assert "webhook-timestamp: 1795680000" in page
        assert "server: shop" in page
        assert "&lt;b&gt;no&lt;/b&gt;" in page
        assert "<b>no</b>" not in page
        assert "connected after 1 ms" in page


async def test_a_merchant_reaches_no_delivery_of_another(stack: Stack) -> None:
    asked: list[httpx.Request] = []

    def edge(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202, json={})

    client = httpx.AsyncClient(transport=httpx.MockTransport(edge), base_url="http://edge")
    async with opened(stack) as place, looking(place.settings, client) as looks:
        await fill(place)
        looks.as_merchant("mer_a")
        page = (await looks.get("/deliveries")).text
        assert "dlv_a_1" in page
        assert "b.example" not in page
        assert "dlv_b" not in page
        assert '<tr id="dlv_' not in (await looks.get("/deliveries?endpoint=whe_b")).text
        # Another's delivery is no place in one's own list.
        behind = (await looks.get("/deliveries?before=dlv_b_1")).text
        assert '<tr id="dlv_a_1"' in behind
        assert '<tr id="dlv_b' not in behind
        assert (await looks.get("/deliveries/dlv_b_1")).status_code == 404
        for action in ("retry", "cancel"):
            assert (await looks.post(f"/deliveries/{action}", id="dlv_b_1")).status_code == 404
            assert not asked
            assert (await looks.post(f"/deliveries/{action}", id="dlv_a_1")).status_code == 303
            assert asked.pop().url.path == f"/api/v1/webhook_deliveries/dlv_a_1/{action}"
