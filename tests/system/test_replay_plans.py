"""How PostgreSQL answers what a verdict asks: by an index, never by reading a whole table."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from headgate.embedded.stack import Stack
from headgate.replay.stored import PAGE
from headgate.streams.clock import from_ms
from headgate.streams.settings import Settings
from headgate.tables.delivery_weeks import tend
from headgate.tables.migrate import migrate
from headgate.tables.postgres import statements
from tests.system import test_deliveries_plans as of_deliveries
from tests.system import test_reading_plans as of_payments
from tests.system.test_reading_plans import nodes

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

FEW = 500
"""Rows that a statement may look at and drop: a week or a table of a few is read whole, rightly."""
IDS = [f"pay_{number}" for number in range(3, 1_400, 70)]
"""Payments of the run's merchant: few, as a page is of a large table."""
THE_RUNS = (
    "update payments set merchant_id = 'mer_run' where substr(id, 5)::int % 70 = 3",
    "update payment_children set merchant_id = 'mer_run' where substr(id, 6)::int % 70 = 3",
    "update payments set state = 'in_doubt' where id in ('pay_3', 'pay_4')",
)
"""The run's merchant is one of many."""


async def check(connection: Any, name: str, *arguments: object) -> None:
    """The statement reads no large table whole, and drops few of the rows that it reads."""
    text = statements()[name]
    rows = await connection.fetch(f"explain (analyze, format json) {text}", *arguments)
    plan = json.loads(rows[0][0])[0]["Plan"]
    found = [node for node in nodes(plan) if node.get("Actual Loops")]
    shown = f"{name}: {json.dumps(plan, indent=1)[:5000]}"
    whole = [n for n in found if n["Node Type"] == "Seq Scan" and n["Actual Rows"] > FEW]
    assert not whole, shown
    dropped = sum(n.get("Rows Removed by Filter", 0) * n["Actual Loops"] for n in found)
    assert dropped <= FEW, shown


async def test_a_verdict_reads_by_an_index(stack: Stack, namespace: str) -> None:
    settings = Settings(postgres=stack.postgres, namespace=namespace)
    await migrate(settings)
    connection = await asyncpg.connect(
        stack.postgres, server_settings={"search_path": settings.schema_name}
    )
    try:
        for fill in of_payments.FILL:
            await connection.execute(fill, of_payments.PAYMENTS)
        begin_ms, every_ms = of_deliveries.BEGIN_MS, of_deliveries.EVERY_MS
        count = of_deliveries.DELIVERIES
        await connection.execute(of_deliveries.FILL[0], count, begin_ms, every_ms)
        await connection.execute(of_deliveries.FILL[1])
        await tend(connection, settings, begin_ms + count * every_ms)
        for statement in THE_RUNS:
            await connection.execute(statement)
        await connection.execute("analyze")
        whose = ("mer_run", "test", from_ms(0))
        await check(connection, "verdict_payments", *whose)
        await check(connection, "verdict_children", *whose)
        await check(connection, "verdict_in_doubt", *whose)
        await check(connection, "verdict_page", *whose, "", PAGE)
        await check(connection, "verdict_page", *whose[:2], from_ms(9_000_000), "pay_9", PAGE)
        await check(connection, "verdict_deliveries", "whe_3")
        for name in ("verdict_facts", "verdict_children_of", "verdict_operations"):
            await check(connection, name, IDS)
        await check(connection, "verdict_stands", IDS)
        await check(connection, "commands_decided", IDS)
        await check(connection, "verdict_deliveries_of", IDS, "whe_3")
        [*times] = await connection.fetch(
            "select id, created_at from webhook_deliveries where endpoint_id = 'whe_3' limit 100"
        )
        places = [row["id"] for row in times], [row["created_at"] for row in times]
        await check(connection, "verdict_attempts_of", *places)
        await check(connection, "verdict_other_webhooks", "whe_3", 1000)
        await check(connection, "verdict_key_owner", "key_test_1")
    finally:
        await connection.close()
