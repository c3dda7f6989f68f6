"""`GET /payments/{id}/timeline`: a payment's whole life, with who did what and what was refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from starlette.responses import Response

from headgate.http.as_of import AsOf
from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.exchange import Exchange
from headgate.http.finding import Finder, check_payment_id
from headgate.http.pages import list_answer
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.http.query import Query
from headgate.streams.bus import Position
from headgate.streams.cards import quoted
from headgate.streams.clock import iso
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.conditions import Conditions
from headgate.tables.postgres import Postgres, Row

_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")
_TIMELINE_PARAMETERS = 6
_ACTORS = {"acquirer.answer": "acquirer", "payment.timer": "timer"}
"""Who stands behind the commands that no API key sends."""
Entry = dict[str, Any]


class Timeline:
    """Every fact of a payment, every command that was refused, and every question that an operator
    asked the bank by hand, in the order of the log."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        consistency: Consistency,
        finder: Finder,
        postgres: Postgres,
    ) -> None:
        self._most = settings.page_size_max
        self._topic = PAYMENT_COMMANDS.full_name(settings)
        self._authenticator = authenticator
        self._consistency = consistency
        self._finder = finder
        self._postgres = postgres
        self._as_of = AsOf(settings, consistency, postgres)

    async def show(self, exchange: Exchange) -> Response:
        """A page, oldest first; `starting_after` takes the cursor of the page before."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        payment_id, query = exchange.path("id"), Query(exchange)
        check_payment_id(payment_id)
        limit = query.whole("limit", self._most, least=1, most=self._most)
        after = _place(query.one("starting_after"))
        until = await self._as_of.until(query, payment_id)
        query.check_brackets()
        settled = await self._consistency.settled()
        conditions = _conditions(until)
        whose = (payment_id, api_key.merchant_id, api_key.mode)
        rows = await self._postgres.fetch_where(
            "timeline", {"where": conditions.where}, *whose, *after, limit + 1, *conditions.values
        )
        if not rows:
            await self._finder.payment(payment_id, api_key)
        more, rows = len(rows) > limit, rows[:limit]
        cursor = f"{rows[-1]['offset']}.{rows[-1]['sequence']}" if more else None
        entries = [orjson.dumps(entry) for entry in self._entries(rows)]
        return list_answer(entries, cursor, self._consistency.positions.show(settled), more=more)

    def _entries(self, rows: Sequence[Row]) -> list[Entry]:
        return [
            {
                **_shown(row),
                "topic": self._topic,
                "partition": row["partition"],
                "offset": row["offset"],
                "log_position": str(Position(self._topic, row["partition"], row["offset"])),
                "created_at": iso(round(row["created_at"].timestamp() * 1000)),
                "command": {"id": row["command_id"], "type": row["command"]},
                "actor": row["actor"] or _ACTORS.get(row["command"]),
            }
            for row in rows
        ]


def _place(cursor: str | None) -> tuple[int, int]:
    """Where the page before ended. Raises ParameterInvalid."""
    if cursor is None:
        return -1, 0
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise ParameterInvalid(
            f"starting_after is {quoted(cursor)}; send the next_cursor of the page before.",
            param="starting_after",
        )
    return int(found[1]), int(found[2])


def _conditions(until: datetime | int | None) -> Conditions:
    conditions = Conditions(_TIMELINE_PARAMETERS)
    if isinstance(until, int):
        conditions.add('o."offset" <= {}', until)
    elif until is not None:
        conditions.add("o.created_at <= {}", until)
    return conditions


def _shown(row: Row) -> Entry:
    if row["payload"] is not None:
        return _told(row)
    return _refused(row) if row["refusal"] is not None else _inquired(row)


def _told(row: Row) -> Entry:
    """A fact: what it changed, and the child that it is about."""
    fact = orjson.loads(row["payload"])
    after = fact["data"]["payment"]
    about = row["type"].partition(".")[0]
    return {
        "kind": "fact",
        "sequence": row["sequence"],
        "event_id": row["event_id"],
        "type": row["type"],
        "change": {name: [before, after[name]] for name, before in fact["previous"].items()},
        "child": None if about == "payment" else fact["data"].get(about),
        "refusal": None,
        "request": fact["request"],
    }


def _refused(row: Row) -> Entry:
    """A command that changed nothing, and why."""
    told = orjson.loads(row["result"]) if row["result"] else {}
    why = {"code": row["refusal"], "detail": told.get("detail"), "param": told.get("param")}
    return {**_untold(row), "kind": "refused", "refusal": why}


def _inquired(row: Row) -> Entry:
    """A question to the bank that an operator asked out of turn."""
    return {**_untold(row), "kind": "inquiry", "inquiry": orjson.loads(row["result"])}


def _untold(row: Row) -> Entry:
    """What an entry has that no fact tells."""
    return {
        "sequence": None,
        "event_id": None,
        "type": None,
        "change": {},
        "child": None,
        "refusal": None,
        "request": {"id": row["request_id"], "idempotency_key": None},
    }
