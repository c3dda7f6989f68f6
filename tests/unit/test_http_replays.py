"""Asking for replays: what is taken and what is refused, and that nobody is told a guess."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.exchange import BODY, ROUTE, Exchange
from headgate.http.problems import Problem
from headgate.http.problems_of_replays import EndpointDisabled, ReplayOver, TooManyReplays
from headgate.http.problems_of_requests import KeyReused, ParameterInvalid, ResourceMissing
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.webhook_replays import WebhookReplays
from headgate.streams import ids
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy, Endpoint
from headgate.tables.merchants import Connection, hash_secret
from headgate.tables.postgres import Postgres, Row, statements

PATH = "/api/v1/webhook_replays"
FROM = "2026-01-01T00:00:00Z"
KEY = ApiKey(id="k", merchant_id="mer_1", mode="test", secret_hash=hash_secret("s"), revoked=False)


def endpoint(endpoint_id: str, **members: Any) -> Endpoint:
    """An endpoint of the merchant, unless told otherwise."""
    given = {
        "id": endpoint_id,
        "merchant_id": "mer_1",
        "mode": "test",
        "is_default": False,
        "url": "https://shop.example/",
        "sealed_secret": "sealed",
        "event_types": ["payment.success"],
        "enabled": True,
    }
    return Endpoint.model_validate({**given, **members})


ENDPOINTS = {
    one.id: one
    for one in (
        endpoint("whe_1"),
        endpoint("whe_off", enabled=False),
        endpoint("whe_gone", deleted=True),
        endpoint("whe_live", mode="live"),
        endpoint("whe_theirs", merchant_id="mer_2"),
    )
}


class Copy(ConfigurationCopy):
    """The configuration, always fresh."""

    async def refresh(self) -> Configuration:
        return self.now


class Rows(Postgres):
    """PostgreSQL with the replays that were made here."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.replays: dict[str, dict[str, Any]] = {}
        self.unfinished = 0
        self.silent = False
        self.audited: list[str] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        if self.silent:
            raise StoreUnavailable("no answer in time")
        yield cast("Connection", self)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def fetch_where(self, name: str, clauses: Any, *arguments: object) -> Sequence[Row]:
        assert (name, arguments[0]) == ("replays_page", "mer_1")
        assert "r.id" in clauses["where"]
        return self._found(arguments[3])

    async def fetchrow(self, text: str, *arguments: object) -> Row | None:
        assert "replay_id = w.id" in text
        return next(iter(self._found(arguments[3])), None)

    async def fetchval(self, text: str, *arguments: object) -> object:
        if text == statements()["replays_unfinished"]:
            return self.unfinished
        [change] = [c for c in ("pause", "resume", "cancel") if text == statements()[f"{c}_replay"]]
        replay = self.replays[str(arguments[0])]
        if replay["status"] in ("completed", "canceled"):
            return None
        replay["status"] = {"pause": "paused", "resume": "sending", "cancel": "canceled"}[change]
        return replay["id"]

    async def execute(self, text: str, *arguments: Any) -> None:
        if text == statements()["audit"]:
            self.audited.append(arguments[1])
        if text != statements()["create_replay"]:
            return
        names = (
            *("id", "merchant_id", "mode", "endpoint_id", "which", "types", "from_at", "to_at"),
            *("rate_per_s", "dry_run", "request"),
        )
        self.replays[arguments[0]] = dict(zip(names, arguments, strict=True)) | {
            **dict.fromkeys(("found", "sent", "delivered", "failed"), 0),
            **dict.fromkeys(("reason", "counted_at", "ended_at")),
            "status": "counting",
            "created_at": datetime.now(UTC),
        }

    def _found(self, replay_id: object) -> list[Row]:
        replay = self.replays.get(str(replay_id))
        shown = json.dumps(replay, default=lambda at: at.isoformat())
        return [] if replay is None else [cast("Row", {"id": replay_id, "shown": shown})]


class Edge:
    """The handlers, for a merchant with the secret `s`."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(state_dir=folder)
        self.rows = Rows(settings)
        copy = Copy(settings, self.rows)
        copy.now = Configuration(version=1, keys={"k": KEY}, endpoints=ENDPOINTS)
        self.to = WebhookReplays(
            settings, Authenticator(settings, copy), cast("Consistency", None), self.rows, copy
        )

    async def create(self, key: str | None = None, **body: Any) -> Response:
        """Ask for a replay."""
        asked = {"endpoint_id": "whe_1", "from": FROM, **body}
        return await self.to.create(exchange("POST", PATH, key, asked))

    async def change(self, word: Any, replay_id: str) -> Any:
        """Pause, resume or cancel it; the answer."""
        path = f"{PATH}/{replay_id}"
        answer = await self.to.changing(word)(exchange("POST", path, None, {}, replay_id))
        return json.loads(bytes(cast("Response", answer).body))


def exchange(
    method: str, path: str, key: str | None, body: object, replay_id: str = ""
) -> Exchange:
    """A request."""
    headers = [(b"authorization", b"Bearer s"), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    scope = {"method": method, "path": path, ROUTE: path, "query_string": b"", "headers": headers}
    raw = json.dumps(body).encode()
    return Exchange({**scope, "path_params": {"id": replay_id}, BODY: raw})


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    """An edge with endpoints."""
    return Edge(tmp_path)


def read(answer: Response) -> dict[str, Any]:
    """The answer's body."""
    return cast("dict[str, Any]", json.loads(bytes(answer.body)))


async def test_a_replay_is_answered_with_what_it_will_do(edge: Edge) -> None:
    answer = await edge.create("mine", rate_per_s=50)
    told = read(answer)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{told['id']}"
    assert told["id"] == ids.replay_id("mer_1", "test", "mine")
    assert told["from"] == "2026-01-01T00:00:00.000Z"
    assert (told["object"], told["livemode"]) == ("webhook_replay", False)
    assert (told["only"], told["types"], told["dry_run"]) == ("failed", [], False)
    assert (told["status"], told["found"], told["rate_per_s"]) == ("counting", 0, 50)
    assert edge.rows.audited == ["webhook_replay.create"]


async def test_everything_means_what_the_endpoint_subscribes_to_or_what_is_named(
    edge: Edge,
) -> None:
    assert read(await edge.create(only="all"))["types"] == ["payment.success"]
    assert read(await edge.create(only="all", types=["refund.*"]))["types"] == ["refund.*"]


async def test_its_repeat_is_the_same_replay_and_another_request_is_refused(edge: Edge) -> None:
    first, second = await edge.create("mine"), await edge.create("mine")
    assert first.body == second.body
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    with pytest.raises(KeyReused):
        await edge.create("mine", only="all")
    assert len(edge.rows.replays) == 1


@pytest.mark.parametrize(
    ("body", "problem", "param"),
    [
        ({"endpoint_id": "whe_nobodys"}, ResourceMissing, "endpoint_id"),
        ({"endpoint_id": "whe_theirs"}, ResourceMissing, "endpoint_id"),
        ({"endpoint_id": "whe_live"}, ResourceMissing, "endpoint_id"),
        ({"endpoint_id": "whe_gone"}, ResourceMissing, "endpoint_id"),
        ({"endpoint_id": "whe_off"}, EndpointDisabled, "endpoint_id"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, ParameterInvalid, "from"),
        ({"to": FROM}, ParameterInvalid, "from"),
        ({"from": "2099-01-01T00:00:00Z"}, ParameterInvalid, "from"),
        ({"from": "yesterday"}, ParameterInvalid, "from"),
        ({"from": "2026-01-01T00:00:00"}, ParameterInvalid, "from"),
        ({"types": []}, ParameterInvalid, "types"),
        ({"types": ["payment.%"]}, ParameterInvalid, "types.0"),
        ({"types": ["*.success"]}, ParameterInvalid, "types.0"),
        ({"types": ["a"] * 33}, ParameterInvalid, "types"),
        ({"only": "some"}, ParameterInvalid, "only"),
        ({"rate_per_s": 0}, ParameterInvalid, "rate_per_s"),
        ({"rate_per_s": 1.5}, ParameterInvalid, "rate_per_s"),
        ({"rate_per_s": "1"}, ParameterInvalid, "rate_per_s"),
        ({"dry_run": "yes"}, ParameterInvalid, "dry_run"),
        ({"endpoint_id": "x\0y"}, ParameterInvalid, "endpoint_id"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    edge: Edge, body: dict[str, Any], problem: type[Problem], param: str
) -> None:
    with pytest.raises(problem) as refused:
        await edge.create(**body)
    assert refused.value.param == param
    assert not edge.rows.replays


async def test_a_dry_run_asks_nothing_of_the_endpoint_08_r31(edge: Edge) -> None:
    told = read(await edge.create(endpoint_id="whe_off", dry_run=True))
    assert told["dry_run"] is True


async def test_a_range_ends_now_at_the_latest(edge: Edge) -> None:
    told = read(await edge.create(to="2099-01-01T00:00:00Z"))
    end = datetime.fromisoformat(told["to"])
    assert abs(end - datetime.now(UTC)) < timedelta(minutes=1)


async def test_too_many_are_refused(edge: Edge) -> None:
    edge.rows.unfinished = 20
    with pytest.raises(TooManyReplays):
        await edge.create()
    assert not edge.rows.replays


async def test_a_replay_is_paused_resumed_and_canceled_by_its_owner_alone(edge: Edge) -> None:
    replay_id = read(await edge.create())["id"]
    assert (await edge.change("pause", replay_id))["status"] == "paused"
    assert (await edge.change("pause", replay_id))["status"] == "paused"
    assert (await edge.change("resume", replay_id))["status"] == "sending"
    assert (await edge.change("cancel", replay_id))["status"] == "canceled"
    assert (await edge.change("cancel", replay_id))["status"] == "canceled"
    for word in ("pause", "resume"):
        with pytest.raises(ReplayOver):
            await edge.change(word, replay_id)
    for unknown in ("rpl_" + "a" * 26, "rpl_1", "../x", "\0"):
        with pytest.raises(ResourceMissing):
            await edge.change("pause", unknown)


async def test_a_replay_to_a_disabled_endpoint_is_not_resumed_08_r31(edge: Edge) -> None:
    replay_id = read(await edge.create())["id"]
    await edge.change("pause", replay_id)
    edge.rows.replays[replay_id]["endpoint_id"] = "whe_off"
    with pytest.raises(EndpointDisabled):
        await edge.change("resume", replay_id)


async def test_without_an_answer_the_outcome_is_unknown_08_r15(edge: Edge) -> None:
    """The COMMIT may have come through, so nobody may say that nothing happened."""
    replay_id = read(await edge.create())["id"]
    edge.rows.silent = True
    with pytest.raises(OutcomeUnknown) as unknown:
        await edge.create()
    assert len(unknown.value.headers["Idempotency-Key"]) > 20
    with pytest.raises(OutcomeUnknown):
        await edge.change("cancel", replay_id)
