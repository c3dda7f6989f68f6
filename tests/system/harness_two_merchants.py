"""Rows of every kind of two merchants, ours and the other; all texts of the other hold one word."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.streams.bus import Bus
from headgate.streams.secrets import SecretBox
from headgate.tables.merchants import DEMO_EMAIL
from tests.system.harness_place import Place
from tests.system.harness_reading import Shop

WORD = "theirs"
"""Stands in every text of the other merchant's rows."""
OURS, THEIRS = "mer_ours", f"mer_{WORD}"
ROWS = """
    insert into merchants(id, name, email)
        select 'mer_' || x, 'Shop ' || x, x || '@example.com' from unnest($1::text[]) x;
    insert into people(id, email, name, kind, merchant_id, password_hash)
        select 'usr_' || x, x || '@people.example', x, 'merchant_user', 'mer_' || x, 'h'
        from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into api_keys(id, merchant_id, mode, secret_hash, name, scopes)
        select 'key_test_' || x, 'mer_' || x, 'test', x::bytea, x, '{payments:read}'
        from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_endpoints(id, merchant_id, mode, url, sealed_secret, event_types,
        is_default)
        select 'whe_' || y, 'mer_' || x, 'test', 'https://' || x || '.example/', $2, '{*}', true
        from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_events(event_id, merchant_id, mode, type, payload, created_at, told)
        select 'evt_' || y, 'mer_' || x, 'test', 'test.event', ('{"of": "' || x || '"}')::bytea,
        now(), true from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, type, status,
        attempts, response_body, created_at)
        select 'dlv_' || y, 'evt_' || y, 'whe_' || y, 'mer_' || x, 'test', 'test.event', 'held',
        1, x, now() from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_attempts(delivery_id, delivery_created_at, token, attempt, manual, kind,
        status_code, error, answer, request_headers, started_at, duration_ms)
        select id, created_at, id, 1, false, 'failed', 500, response_body, response_body,
        '{"webhook-id": "evt", "webhook-timestamp": "1795680000"}', now(), 5
        from webhook_deliveries where response_body = any($1::text[]);
    insert into webhook_replays(id, merchant_id, mode, endpoint_id, which, types, from_at, to_at,
        dry_run, request, status)
        select 'rpl_' || y, 'mer_' || x, 'test', 'whe_' || y, 'all', array[x], now(), now(),
        false, x, 'paused' from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into audit(actor, action, subject, change, merchant_id, mode)
        select 'key_test_' || x, 'api_key.create', 'key_test_' || x,
        jsonb_build_object('name', x), 'mer_' || x, 'test' from unnest($1::text[]) x;
    insert into api_requests(id, at, merchant_id, mode, key_id, method, route, status, duration_us)
        select 'req_' || x, now(), 'mer_' || x, 'test', 'key_test_' || x, 'POST', '/' || x, 201, 5
        from unnest($1::text[]) x, rpad(x, 26, 'a') y
"""
TABLES = {
    "merchants": "id",
    "webhook_attempts": "delivery_id",
    **dict.fromkeys(
        ("people", "api_keys", "webhook_endpoints", "webhook_deliveries", "webhook_replays",
         "webhook_events", "audit", "payments", "operations", "acquirer_knobs"),
        "merchant_id",
    ),
}  # fmt: skip
"""What must be as before, as far as the column says that it is the other's."""


async def two_merchants(place: Place, bus: Bus) -> dict[str, str]:
    """Make all of it; a settle worker has to run. Ours is the demo merchant, too, whom the seed's
    pages show. Returns the other's id of each kind."""
    sealed = SecretBox(place.settings.secret_key).seal("whsec_c2VjcmV0c2VjcmV0c2VjcmV0")
    for statement in ROWS.split(";\n"):
        given: Sequence[object] = [["ours", WORD], *([sealed] if "$2" in statement else [])]
        await place.rows(statement, *given)
    await place.rows("update merchants set email = $1 where id = $2", DEMO_EMAIL, OURS)
    await place.rows("update configuration set version = version + 1")
    ids: dict[str, str] = {}
    for merchant in (OURS, THEIRS):
        shop = Shop(place, merchant)
        ids["payment"] = shop.create(1, order_id=merchant, description=merchant)
        shop.create(2, order_id=merchant, outcome="unknown", vpa="timeout@upi")
        ids["refund"] = shop.refund(ids["payment"], 5)
        await shop.settle(bus)
    prefixes = {"endpoint": "whe", "delivery": "dlv", "replay": "rpl"}
    return ids | {
        "key": f"key_test_{WORD}",
        "merchant": THEIRS,
        "request": f"req_{WORD}",
        **{kind: f"{prefix}_{WORD:a<26}" for kind, prefix in prefixes.items()},
    }
