"""A run judged by real rows and real webhooks; then faults are planted in the rows, one by one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.replay.sandbox import Sandbox, SandboxRefused, Wanted, given, playing, retire
from headgate.replay.standing import stood
from headgate.replay.tally import Run, Tally
from headgate.replay.verdict import judged
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres
from tests.system.harness_place import until
from tests.system.harness_running import Running, running_system
from tests.system.harness_verdict import Load, lines, wrong

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SETTINGS = {
    "HEADGATE_WEBHOOK_ALLOW_LOOPBACK": "true",
    "TEST_MODE": "true",
    "TEST_PROCESSING_DELAY": "0",
}
SHORT_S = 0.2
"""For verdicts of which it is known that they come to nothing."""


@asynccontextmanager
async def opened_tables(running: Running) -> AsyncIterator[Postgres]:
    """PostgreSQL of the system under test."""
    postgres = Postgres(running.place.settings)
    try:
        yield postgres
    finally:
        await postgres.close()


async def test_a_run_adds_up_until_a_fault_is_planted(stack: Stack, tmp_path: Path) -> None:
    async with (
        running_system(stack, tmp_path, **SETTINGS) as running,
        opened_tables(running) as postgres,
    ):
        arrived = tmp_path / "r1.received"
        wanted = Wanted("r1", edge=running.url, arrivals=arrived)
        async with playing(postgres, running.place.settings, wanted) as played:
            load = Load(running, played, Tally())
            await load.mixed(16)
            await it_adds_up(load)
            await each_planted_fault_is_found(load)
        await a_later_sitting_knows_what_arrived(running, postgres, load, arrived)
        await the_same_ids_change_nothing(running, postgres, load)
        await around_the_edge_it_is_the_same(running, postgres)
        await retire(postgres, load.played.sandbox)
        sql = "select deleted_at is not null from webhook_endpoints where id = $1"
        [row] = await running.place.rows(sql, load.played.sandbox.endpoint_id)
        assert row[0]


async def it_adds_up(load: Load) -> None:
    """Nothing is wrong, and nothing was left out."""
    verdict = await load.verdict()
    assert wrong(verdict) == {}
    assert {line.ok for line in verdict.lines} == {True}
    told = lines(verdict)
    assert told["accepted = stored"].found == 16
    facts = await load.running.place.number("select count(*) from facts")
    assert told["facts = delivered"].found == facts > 16 * 4


FAULTS = (
    (
        "payments",
        "update payments set record = record || '{\"amount_refunded\": 90000}' where id = $1",
        {"amounts within limits", "money adds up"},
    ),
    (
        "payments",
        "update payments set state = 'processing' where id = $1",
        {"stored = settled"},
    ),
    (
        "facts",
        "delete from facts where payment_id = $1 and sequence = 2",
        {"histories without gaps"},
    ),
    (
        "facts",
        "update facts set payload = payload || '\\x20' where payment_id = $1 and sequence = 3",
        {"facts = delivered"},
    ),
    (
        "webhook_deliveries",
        "update webhook_deliveries set status = 'failed' where payment_id = $1",
        {"facts = delivered"},
    ),
    (
        "webhook_deliveries",
        "delete from webhook_deliveries where payment_id = $1",
        {"facts = delivered"},
    ),
    (
        "payment_children",
        "delete from payment_children where payment_id = $1",
        {"histories without gaps", "accepted parts = stored"},
    ),
    ("operations", "delete from operations where payment_id = $1", {"histories without gaps"}),
    ("payments", "delete from payments where id = $1", {"accepted = stored"}),
)
"""Statements that break a payment's rows in a table, and the lines that must then be wrong."""


async def each_planted_fault_is_found(load: Load) -> None:
    """Another payment each time, a refunded one: the verdict names it."""
    refunded = await load.running.place.rows(
        "select p.id from payments p join payment_children c on c.payment_id = p.id "
        "where c.kind = 'refund' order by p.id"
    )
    [first, *_] = [row["id"] for row in refunded]
    for table, statement, names in FAULTS:
        kept = await _rows(load.running, table, first)
        await load.running.place.rows(statement, first)
        found = wrong(await load.verdict(SHORT_S, edge=None))
        assert names <= set(found), (statement, found)
        await _restore(load.running, table, first, kept)
    load.tally.accepted.add("pay_nowhere")
    found = wrong(await load.verdict(SHORT_S))
    assert set(found) == {"accepted = stored"}
    assert found["accepted = stored"].examples == ("pay_nowhere: was accepted, but has no row",)
    load.tally.accepted.discard("pay_nowhere")


async def _rows(running: Running, table: str, payment_id: str) -> str:
    """A payment's rows of a table, as JSON."""
    where = "id" if table == "payments" else "payment_id"
    sql = f"select json_agg(t)::text as kept from {table} t where {where} = $1"  # noqa: S608
    [row] = await running.place.rows(sql, payment_id)
    return str(row["kept"])


async def _restore(running: Running, table: str, payment_id: str, kept: str) -> None:
    """Put the rows back as they were; what is generated is generated again."""
    where = "id" if table == "payments" else "payment_id"
    columns = await running.place.rows(
        "select string_agg(quote_ident(column_name), ', ') from information_schema.columns "
        "where table_schema = $1 and table_name = $2 and is_generated = 'NEVER'",
        running.place.settings.schema_name,
        table,
    )
    names = columns[0][0]
    await running.place.rows(f"delete from {table} where {where} = $1", payment_id)  # noqa: S608
    await running.place.rows(
        f"insert into {table}({names}) "  # noqa: S608
        f"select {names} from json_populate_recordset(null::{table}, $1::text::json)",
        kept,
    )


async def a_later_sitting_knows_what_arrived(
    running: Running, postgres: Postgres, load: Load, arrived: Path
) -> None:
    """The receiver is gone; the next one listens elsewhere, remembers what the first one took, and
    gets what was held meanwhile without waiting for the gateway's next look."""
    for number in range(100, 132, 4):
        await load.pay(number)

    async def held() -> bool:
        sql = "select count(*) from webhook_deliveries where status = 'held'"
        return await running.place.number(sql) > 0

    await until(held, 60, "a webhook is held for the receiver that is away")
    known = Sandbox.remembered(load.played.sandbox.record)
    wanted = Wanted("r1", edge=running.url, known=known, arrivals=arrived)
    async with playing(postgres, running.place.settings, wanted) as played:
        assert played.sandbox.merchant_id == known.merchant_id
        assert played.sandbox.endpoint_id == known.endpoint_id
        assert played.sandbox.receiver_url != known.receiver_url
        load.played = played
        assert wrong(await load.verdict()) == {}


async def around_the_edge_it_is_the_same(running: Running, postgres: Postgres) -> None:
    """Without an edge the endpoint is made, and moved, in the tables themselves."""
    settings = running.place.settings
    async with playing(postgres, settings, Wanted("r2")) as around:
        known = Sandbox.remembered(around.sandbox.record)
    async with playing(postgres, settings, Wanted("r2", known=known)) as again:
        assert again.sandbox.endpoint_id == known.endpoint_id
        sql = "select url from webhook_endpoints where id = $1"
        rows = await running.place.rows(sql, known.endpoint_id)
        assert [row["url"] for row in rows] == [again.sandbox.receiver_url]
        assert known.receiver_url != again.sandbox.receiver_url


async def the_same_ids_change_nothing(running: Running, postgres: Postgres, load: Load) -> None:
    """Every request again under its key: not a row more; then one row more is seen."""
    before = await stood(postgres, load.tally.accepted)
    assert before.sums.payments == len(load.tally.accepted)
    for one in list(load.tally.samples):
        key = one.headers["Idempotency-Key"]
        again = await load.ask(one.path, json.loads(one.body), key)
        assert again.status_code == one.status
    verdict = await load.verdict(before=before, same_ids=True)
    assert wrong(verdict) == {}
    assert lines(verdict)["same facts"].found == before.sums.facts
    await running.place.rows("update payments set version = version + 1")
    found = wrong(await load.verdict(before=before, same_ids=True))
    assert set(found) == {"same versions"}


async def test_what_a_target_refuses_is_said(stack: Stack, tmp_path: Path) -> None:
    strict = {**SETTINGS, "HEADGATE_WEBHOOK_ALLOW_LOOPBACK": "false"}
    async with (
        running_system(stack, tmp_path, **strict) as running,
        opened_tables(running) as postgres,
    ):
        settings = running.place.settings
        async with playing(postgres, settings, Wanted("r2", edge=running.url)) as played:
            assert "HEADGATE_WEBHOOK_ALLOW_LOOPBACK" in played.sandbox.why_untold
            assert "--receiver URL" in played.sandbox.why_untold
            load = Load(running, played, Tally())
            await load.pay(0)
            verdict = await load.verdict()
            assert wrong(verdict) == {}
            line = lines(verdict)["facts = delivered"]
            assert (line.ok, line.meaning) == (None, played.sandbox.why_untold)
        async with playing(postgres, settings, Wanted("r3")) as around:
            assert "LOOPBACK" in around.sandbox.why_untold
        pair = (played.sandbox.key, played.sandbox.secret)
        async with playing(postgres, settings, Wanted("r4", running.url, pair=pair)) as lent:
            assert (lent.receiver, lent.sandbox.own) == (None, False)
            assert lent.sandbox.merchant_id == played.sandbox.merchant_id
        with pytest.raises(SandboxRefused, match="--key is key_test_nobody"):
            await given(postgres, "key_test_nobody", "secret")


async def test_postgresql_away_is_a_line_and_no_crash(tmp_path: Path) -> None:
    away = Settings(postgres="postgresql://nobody@127.0.0.1:1/none", postgres_timeout_ms=200)
    found = Run(
        run_id="r1", source="log", sink="commands of x", speed="x1", same_ids=False,
        sandbox=Sandbox("mer_1", "key", "secret", own=True), tally=Tally(),
    )  # fmt: skip
    verdict = await judged(found, away, within_s=0.5)
    assert not verdict.holds
    assert "PostgreSQL is away" in lines(verdict)["stores can be read"].meaning
