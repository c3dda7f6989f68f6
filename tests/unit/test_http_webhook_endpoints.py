"""Endpoints while PostgreSQL is away: no guesses, and repeats find their request."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from headgate.http.auth import Authenticator
from headgate.http.exchange import BODY, ROUTE, Exchange
from headgate.http.problems_of_requests import ParameterInvalid, ParameterMissing
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.webhook_endpoint_access import API_ENDPOINTS, EndpointAccess
from headgate.http.webhook_endpoint_actions import EndpointActions
from headgate.http.webhook_endpoint_schemas import EndpointRequest
from headgate.http.webhook_endpoints import WebhookEndpoints
from headgate.http.webhook_test_event import WebhookTest
from headgate.http.webhook_verification import Verifier
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.errors import LogUnavailable, StoreUnavailable
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.endpoint import StoredEndpoint
from headgate.tables.merchants import Connection, hash_secret
from headgate.tables.postgres import Postgres, Row

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDPOINT = "whe_" + "a" * 26
GOOD: dict[str, Any] = {"url": "https://203.0.114.1/", "event_types": ["*"]}


class Silent(Postgres):
    """A PostgreSQL that answers reads, and whose transactions end without an answer."""

    def __init__(self, settings: Settings, box: SecretBox) -> None:
        super().__init__(settings)
        self.box = box
        self.known: list[str] = [ENDPOINT]

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """The one endpoint."""
        assert name == "stored_endpoint"
        given: dict[str, Any] = dict.fromkeys(field.name for field in fields(StoredEndpoint))
        given |= {"id": ENDPOINT, "merchant_id": "mer_1", "mode": "test", "url": GOOD["url"]}
        given |= {"event_types": ["*"], "waits_ms": [], "schedule": "seed", "enabled": True}
        given |= {"fifo": False, "fifo_blocks": False, "is_default": True}
        given |= {"created_at": NOW, "updated_at": NOW, "read_at": NOW}
        given["sealed_secret"] = self.box.seal(draw_webhook_secret())
        return [cast("Row", given)] if arguments[0] in self.known else []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """No answer."""
        raise StoreUnavailable("no answer in time")
        yield  # type: ignore[unreachable]  # makes it a generator


class Away(httpx.AsyncBaseTransport):
    """Nobody."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """No answer."""
        raise httpx.ConnectError("nobody is there", request=request)


@pytest.fixture
def access(tmp_path: Path) -> EndpointAccess:
    """For a merchant with the secret `s`."""
    settings = Settings(state_dir=tmp_path, secret_key=b64encode(bytes(32)).decode())
    box = SecretBox(settings.secret_key)
    postgres = Silent(settings, box)
    copy = ConfigurationCopy(settings, postgres)
    key = ApiKey(
        id="k", merchant_id="mer_1", mode="test", secret_hash=hash_secret("s"), revoked=False
    )
    copy.now = Configuration(version=1, keys={"k": key})
    return EndpointAccess(settings, Authenticator(settings, copy), postgres, copy, box)


@pytest.fixture
def endpoints(access: EndpointAccess) -> WebhookEndpoints:
    """The collection."""
    return WebhookEndpoints(Settings(), access, Verifier(Settings(), Away()))


@pytest.fixture
def actions(access: EndpointAccess) -> EndpointActions:
    """The actions."""
    return EndpointActions(access, Verifier(Settings(), Away()), access.alive)


def asked(path: str = API_ENDPOINTS, key: str | None = None, body: object = GOOD) -> Exchange:
    """A request about the endpoint."""
    headers = [(b"authorization", b"Bearer s"), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    scope = {"method": "POST", "path": path, ROUTE: path, "query_string": b"", "headers": headers}
    return Exchange({**scope, "path_params": {"id": ENDPOINT}, BODY: json.dumps(body).encode()})


async def test_without_an_answer_the_outcome_is_unknown_and_the_key_to_repeat_is_told(
    endpoints: WebhookEndpoints, actions: EndpointActions
) -> None:
    """08 R15: the COMMIT may have come through."""
    for key in ("mine", None):
        for ask, body in ((endpoints.create, GOOD), (actions.rotate_secret, {})):
            with pytest.raises(OutcomeUnknown) as unknown:
                await ask(asked(key=key, body=body))
            told = unknown.value.headers["Idempotency-Key"]
            assert told == key or (key is None and len(told) > 20)
    for ask in (endpoints.change, endpoints.delete, actions.enable, actions.disable):
        with pytest.raises(OutcomeUnknown) as unknown:
            await ask(asked(body={"rate_per_s": 1}))
        assert "Idempotency-Key" not in unknown.value.headers


class SlowLog(Bus):
    """A log that takes every record, but whose answer comes too late."""

    reachable = True

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1", timeout_ms=100)
        self.taken: list[Record] = []

    @property
    def available(self) -> bool:
        """Whether the log is known to be there."""
        return self.reachable

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Take them and say nothing."""
        self.taken += records
        raise LogUnavailable("no answer in time")


async def test_a_test_without_an_answer_is_unknown_and_its_repeat_is_the_same_event(
    access: EndpointAccess,
) -> None:
    """08 R15."""
    log = SlowLog()
    test = WebhookTest(Settings(), access, log, access.alive)
    with pytest.raises(OutcomeUnknown) as unknown:
        await test.send(asked(body={}))
    for key in (unknown.value.headers["Idempotency-Key"], "mine", "mine"):
        with pytest.raises(OutcomeUnknown):
            await test.send(asked(key=key, body={}))
    told = [dict(record.headers)["ce_id"] for record in log.taken]
    assert told[0] == told[1] != told[2] == told[3]
    log.reachable = False
    with pytest.raises(LogUnavailable):
        await test.send(asked(body={}))
    assert len(log.taken) == 4


async def test_a_request_is_known_again_by_its_key_route_and_body(access: EndpointAccess) -> None:
    model = EndpointRequest.model_validate({**GOOD, "secret": "a" * 24})
    first = access.print_of(asked(), model)
    assert access.print_of(asked(), model) == first
    assert access.print_of(asked("/elsewhere"), model) != first
    assert access.print_of(asked(), EndpointRequest.model_validate(GOOD)) != first
    other = Settings(secret_key=b64encode(bytes(31) + b"1").decode())
    stranger = EndpointAccess(
        other, access._authenticator, access.postgres, access._configuration, access.box
    )
    assert stranger.print_of(asked(), model) != first, "nobody can try secrets against it"


async def test_a_change_of_nothing_is_refused(endpoints: WebhookEndpoints) -> None:
    with pytest.raises(ParameterMissing):
        await endpoints.change(asked(body={}))
    with pytest.raises(ParameterMissing):
        await endpoints.change(asked(body={"url": None}))
    with pytest.raises(ParameterInvalid):
        await endpoints.change(asked(body={"fifo_blocks": True}))


async def test_what_another_key_has_sealed_is_shown_without_its_secrets(
    access: EndpointAccess,
) -> None:
    """Reading need not fail because HEADGATE_SECRET_KEY is another one."""
    found = await access.find(ENDPOINT, access._authenticator._read.keys["k"])
    assert found is not None
    access.box = SecretBox(b64encode(bytes(31) + b"1").decode())
    shown = access.shown(found)
    assert (shown.secret, shown.headers, shown.public_key) == ("…", {}, None)
