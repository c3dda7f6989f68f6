"""How PostgreSQL reads lists: by an index, whatever the filter, and never a whole table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from headgate.embedded.stack import Stack
from headgate.http.exchange import Exchange
from headgate.http.pages import PAGE_PARAMETERS
from headgate.http.payment_filters import add_filters
from headgate.http.query import Query
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.migrate import migrate
from headgate.tables.postgres import statements

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PAYMENTS = 20_000
FILL = (
    """
    insert into payments(id, merchant_id, mode, version, status, state, amount, currency, method,
        order_id, created_at, updated_at, record)
    select 'pay_' || n, 'mer_' || n % 7, 'test', 1,
        case when n % 20 = 0 then 'failed' else 'success' end,
        case when n % 20 = 0 then 'failed' else 'captured' end,
        1 + n % 900, 'EUR', 'upi', 'order-' || n, to_timestamp(n), to_timestamp(n),
        jsonb_build_object('customer_id', case when n % 3 = 0 then 'cus_' || n % 500 end,
            'metadata', '{}'::jsonb)
    from generate_series(1, $1::int) n
    """,
    """
    insert into operations(command_id, payment_id, merchant_id, type, first_sequence,
        last_sequence, requests, partition, "offset", created_at, mode)
    select 'cmd_' || n, 'pay_' || n, 'mer_' || n % 7, 'payment.create', 1, 3, '[]', n % 4, n / 4,
        to_timestamp(n), 'test'
    from generate_series(1, $1::int) n
    """,
    """
    insert into facts(payment_id, sequence, event_id, type, payload, created_at)
    select 'pay_' || n, s, 'evt_' || n || '_' || s, 'payment.created', '{}', to_timestamp(n)
    from generate_series(1, $1::int) n, generate_series(1, 3) s
    """,
    """
    insert into payment_children(id, payment_id, merchant_id, mode, kind, state, amount, currency,
        created_at, updated_at, snapshot)
    select 'rfnd_' || n, 'pay_' || n, 'mer_' || n % 7, 'test', 'refund', 'succeeded', 1, 'EUR',
        to_timestamp(n), to_timestamp(n), '{}'
    from generate_series(1, $1::int) n
    """,
)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def filtered(query: dict[str, str]) -> Conditions:
    """The conditions of a list of payments."""
    conditions = Conditions(PAGE_PARAMETERS)
    raw = urlencode(query).encode()
    add_filters(Query(Exchange({"headers": [], "query_string": raw})), conditions)
    return conditions


def about(clause: str, *values: object) -> Conditions:
    """The conditions of a list of refunds."""
    conditions = Conditions(PAGE_PARAMETERS)
    conditions.add("kind = 'refund'")
    conditions.add(clause, *values)
    return conditions


async def check(connection: Any, text: str, arguments: list[object], index: str) -> None:
    """A statement reads no whole table, uses the index, and looks at few rows."""
    rows = await connection.fetch(f"explain (analyze, format json) {text}", *arguments)
    found = list(nodes(json.loads(rows[0][0])[0]["Plan"]))
    shown = json.dumps(found[0], indent=1)[:3000]
    assert not [node for node in found if node["Node Type"] == "Seq Scan"], shown
    assert index in {node.get("Index Name") for node in found}, shown
    dropped = sum(node.get("Rows Removed by Filter", 0) for node in found)
    assert dropped < PAYMENTS / 10, shown


async def test_lists_and_events_are_read_by_an_index(stack: Stack, namespace: str) -> None:
    settings = Settings(postgres=stack.postgres, namespace=namespace)
    await migrate(settings)
    connection = await asyncpg.connect(
        stack.postgres, server_settings={"search_path": settings.schema_name}
    )
    try:
        for fill in FILL:
            await connection.execute(fill, PAYMENTS)
        await connection.execute("analyze")
        whose = ["mer_3", "test"]
        for query, index in (
            ({}, "payments_of_merchant"),
            ({"created[gt]": "1000"}, "payments_of_merchant"),
            ({"status": "success"}, "payments_of_merchant"),
            ({"amount[gt]": "500"}, "payments_of_merchant"),
            ({"status": "failed", "created[lt]": "100"}, "payments_unsuccessful"),
            ({"order_id": "order-10"}, "payments_of_order"),
            ({"customer_id": "cus_3"}, "payments_of_customer"),
        ):
            conditions = filtered(query)
            text = statements()["payments_page"].format(where=conditions.where, way="desc")
            await check(connection, text, [*whose, 11, *conditions.values], index)
        for conditions, index in (
            (about("created_at < to_timestamp({})", 9000), "children_of_merchant"),
            (about("payment_id = {}", "pay_3"), "children_of_payment"),
        ):
            text = statements()["children_page"].format(where=conditions.where, way="desc")
            await check(connection, text, [*whose, 11, *conditions.values], index)
        places: list[object] = [[0, 1, 2, 3], [9, 9, 9, 9], [0, 0, 2, 0], [4000] * 4, 11]
        await check(
            connection, statements()["events_window"], [*whose, *places], "operations_of_merchant"
        )
        told: list[object] = [["pay_3", "pay_10"], [1, 1], [3, 3], None]
        await check(connection, statements()["events_told"], told, "facts_pkey")
        timeline = statements()["timeline"].format(where="true")
        await check(connection, timeline, ["pay_3", *whose, -1, 0, 11], "operations_of_payment")
    finally:
        await connection.close()
