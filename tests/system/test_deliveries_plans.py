"""How PostgreSQL reads deliveries: by an index in every week, in one week where it is known."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from headgate.embedded.stack import Stack
from headgate.http.exchange import Exchange
from headgate.http.pages import PAGE_PARAMETERS
from headgate.http.query import Query
from headgate.http.webhook_deliveries import add_filters
from headgate.streams.clock import from_ms
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.delivery_weeks import tend
from headgate.tables.migrate import migrate
from headgate.tables.postgres import statements
from tests.system.test_reading_plans import nodes

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DELIVERIES = 30_000
FEW = 100
BEGIN_MS = 1_795_000_000_000
EVERY_MS = 120_000
"""Two minutes apart they lie in six weeks and one day."""
FILL = (
    """
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, payment_id,
        replay_id, type, status, attempts, created_at)
    select 'dlv_' || n, 'evt_' || n / 2, 'whe_' || n % 40, 'mer_' || n % 7, 'test',
        'pay_' || n / 6, case when n % 100 = 0 then 'rpl_' || n % 3 end,
        'payment.success', case n % 25 when 1 then 'failed' when 2 then 'held' else 'success' end,
        1, to_timestamp(($2::bigint + n * $3::bigint) / 1000)
    from generate_series(1, $1::int) n
    """,
    """
    insert into webhook_attempts(delivery_id, delivery_created_at, token, attempt, manual, kind,
        status_code, answer, started_at, duration_ms)
    select id, created_at, id || '.' || n, n, false, 'failed', 500, '', created_at, 1
    from webhook_deliveries, generate_series(1, 3) n
    """,
)


def filtered(query: dict[str, str]) -> Conditions:
    """The conditions of a list of deliveries."""
    conditions = Conditions(PAGE_PARAMETERS)
    raw = urlencode(query).encode()
    add_filters(Query(Exchange({"headers": [], "query_string": raw})), conditions)
    return conditions


class Plans:
    """Explains statements."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def of(self, text: str, *arguments: object) -> list[dict[str, Any]]:
        """The nodes that were at work."""
        rows = await self._connection.fetch(f"explain (analyze, format json) {text}", *arguments)
        plan = json.loads(rows[0][0])[0]["Plan"]
        found = [node for node in nodes(plan) if node.get("Actual Loops")]
        shown = json.dumps(plan, indent=1)[:6000]
        # A week of a few rows is read whole, and rightly so.
        whole = [node for node in found if node["Node Type"] == "Seq Scan"]
        assert not [node for node in whole if node.get("Rows Removed by Filter", 0) > FEW], shown
        dropped = sum(node.get("Rows Removed by Filter", 0) for node in found)
        assert dropped < DELIVERIES / 10, shown
        return found

    async def page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """The nodes of a page with these filters."""
        conditions = filtered(query)
        text = statements()["webhook_deliveries_page"].format(where=conditions.where, way="desc")
        return await self.of(text, "mer_3", "test", 11, *conditions.values)


def weeks(found: list[dict[str, Any]], table: str = "webhook_deliveries") -> set[str]:
    """The weeks of a table that were read."""
    names = {node.get("Relation Name") or "" for node in found}
    return {name for name in names if name.startswith(table)} - {f"{table}_rest"}


async def test_deliveries_are_read_by_an_index(stack: Stack, namespace: str) -> None:
    settings = Settings(postgres=stack.postgres, namespace=namespace)
    await migrate(settings)
    connection = await asyncpg.connect(
        stack.postgres, server_settings={"search_path": settings.schema_name}
    )
    try:
        await connection.execute(FILL[0], DELIVERIES, BEGIN_MS, EVERY_MS)
        await connection.execute(FILL[1])
        await tend(connection, settings, BEGIN_MS + DELIVERIES * EVERY_MS)
        await connection.execute("analyze")
        plans = Plans(connection)
        for query in (
            {},
            {"status": "failed"},
            {"status": "held"},
            {"status": "success"},
            {"endpoint_id": "whe_3"},
            {"endpoint_id": "whe_3", "status": "failed"},
            {"payment_id": "pay_30"},
            {"event_id": "evt_100"},
            {"replay_id": "rpl_0"},
        ):
            assert len(weeks(await plans.page(query))) >= 6, query
        since, until = (from_ms(BEGIN_MS + days * 86_400_000).isoformat() for days in (3, 4))
        recent = await plans.page({"created[gte]": since, "created[lt]": until})
        assert len(weeks(recent)) == 1
        one = await plans.of(statements()["webhook_delivery"], "dlv_30", "mer_2", "test")
        assert len(weeks(one)) >= 6
        await attempts_are_read_in_their_week(plans, connection)
    finally:
        await connection.close()


async def attempts_are_read_in_their_week(plans: Plans, connection: Any) -> None:
    """What names the time of a delivery reads one week, whoever asks."""
    row = await connection.fetchrow(
        "select id, created_at from webhook_deliveries where id = 'dlv_9000'"
    )
    own = await plans.of(statements()["webhook_attempts_of"], row["id"], row["created_at"], 100)
    assert len(weeks(own, "webhook_attempts")) == 1
    conditions = Conditions(PAGE_PARAMETERS)
    conditions.add("delivery_id = {}", row["id"])
    conditions.add("delivery_created_at = {}", row["created_at"])
    text = statements()["webhook_attempts_page"].format(where=conditions.where, way="desc")
    listed = await plans.of(text, "mer_5", "test", 11, *conditions.values)
    assert len(weeks(listed, "webhook_attempts")) == 1
    known = await plans.of(
        statements()["attempts_recorded"], [row["id"]], [f"{row['id']}.1"], [row["created_at"]]
    )
    assert len(weeks(known, "webhook_attempts")) == 1
