"""How PostgreSQL reads for replays: by an index, however many deliveries and replays there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from headgate.embedded.stack import Stack
from headgate.streams.settings import Settings
from headgate.tables.migrate import migrate
from headgate.tables.postgres import statements

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DELIVERIES = 20_000
AT = datetime(2026, 11, 1, tzinfo=UTC)
FILL = (
    """
    insert into merchants(id, name, email)
    select 'mer_' || n, 'm', 'm' || n from generate_series(0, 9) n
    """,
    """
    insert into facts(payment_id, sequence, event_id, type, payload, created_at)
    select 'pay_' || n, 1, 'evt_' || n, 'payment.success', '{}', $2::timestamptz
    from generate_series(1, $1::int) n
    """,
    """
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, payment_id, type,
        status, attempts, replay_id, created_at)
    select 'dlv_' || n, 'evt_' || n, 'whe_' || n % 10, 'mer_' || n % 10, 'test', 'pay_' || n,
        'payment.success', case when n % 5 = 0 then 'failed' else 'success' end, 1,
        case when n % 4 = 0 then 'rpl_' || n % 100 end, $2::timestamptz + n * interval '1 second'
    from generate_series(1, $1::int) n
    """,
    """
    insert into webhook_replays(id, merchant_id, mode, endpoint_id, which, types, from_at, to_at,
        dry_run, request, status, created_at, due_at)
    select 'rpl_' || n, 'mer_' || n % 10, 'test', 'whe_1', 'all', '{}', $2::timestamptz,
        $2::timestamptz, false, '', case when n % 200 = 0 then 'sending' else 'completed' end,
        $2::timestamptz + n * interval '1 second', $2::timestamptz
    from generate_series(1, $1::int / 4) n
    """,
)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


async def looked_at(connection: Any, text: str, arguments: Sequence[object]) -> int:
    """How many rows of tables a statement looks at, and drops most of them perhaps; none of those
    tables is read as a whole."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        rows = await connection.fetch(f"explain (analyze, format json) {text}", *arguments)
    finally:
        await transaction.rollback()
    found = list(nodes(json.loads(rows[0][0])[0]["Plan"]))
    whole = [
        node for node in found
        if node["Node Type"] == "Seq Scan" and node["Actual Rows"] > DELIVERIES / 100
    ]  # fmt: skip
    assert not whole, json.dumps(found[0], indent=1)[:3000]
    scans = [node for node in found if "Relation Name" in node and "Scan" in node["Node Type"]]
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in scans
    )


async def test_a_page_costs_a_page(stack: Stack, namespace: str) -> None:
    settings = Settings(postgres=stack.postgres, namespace=namespace)
    await migrate(settings)
    connection = await asyncpg.connect(
        stack.postgres, server_settings={"search_path": settings.schema_name}
    )
    try:
        for fill in FILL:
            arguments = [DELIVERIES, AT] if "$1" in fill else []
            await connection.execute(fill, *arguments)
        await connection.execute("analyze")
        page = statements()["replays_page"].format(where="status = 'completed'", way="desc")
        end = AT + timedelta(days=1)
        asked: list[tuple[str, list[object], int]] = [
            (statements()["replay_take"], [10.0], 10),
            (page, ["mer_3", "test", 11], 100),
            (
                statements()["replay_failed_page"],
                ["whe_0", AT, end, AT, "", ["payment.%"], "rpl_x", 50],
                400,
            ),
            (statements()["replay_untried"], ["rpl_8", AT + timedelta(seconds=8)], 10),
            (statements()["replay_known"], [["evt_8", "evt_10"], "whe_0", "rpl_x"], 10),
        ]
        for text, arguments, most in asked:
            assert await looked_at(connection, text, arguments) <= most, text
    finally:
        await connection.close()
