"""API keys while PostgreSQL is away: nobody is told a guess, and every repeat finds its request."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.http.api_keys import ApiKeys
from headgate.http.auth import Authenticator
from headgate.http.exchange import BODY, ROUTE, Exchange
from headgate.http.key_schemas import KeyRequest
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.api_keys import KeyStatus, StoredKey
from headgate.tables.configuration import ApiKey, Configuration, ConfigurationCopy
from headgate.tables.merchants import Connection, hash_secret
from headgate.tables.postgres import Postgres, Row

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(**members: Any) -> StoredKey:
    """A key as PostgreSQL has it."""
    given = {
        "id": "key_test_1",
        "merchant_id": "mer_1",
        "mode": "test",
        "name": None,
        "scopes": ["payments:read"],
        "rate_per_s": None,
        "strict_parameters": False,
        "created_at": NOW,
        "expires_at": None,
        "revoked_at": None,
        "replaced_by": None,
        "secret_hash": b"",
        "request": None,
        "read_at": NOW,
    }
    return StoredKey(**{**given, **members})


class Silent(Postgres):
    """A PostgreSQL that answers reads, and whose transactions end without an answer."""

    silent = True

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """The one key."""
        assert name == "stored_key"
        key = stored()
        return [cast("Row", {field: getattr(key, field) for field in StoredKey.__slots__})]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """No answer."""
        if self.silent:
            raise StoreUnavailable("no answer in time")
        yield cast("Connection", self)


def handlers(folder: Path) -> ApiKeys:
    """The handlers, for a merchant with the secret `s`."""
    settings = Settings(state_dir=folder, secret_key=b64encode(bytes(32)).decode())
    postgres = Silent(settings)
    copy = ConfigurationCopy(settings, postgres)
    key = ApiKey(
        id="k", merchant_id="mer_1", mode="test", secret_hash=hash_secret("s"), revoked=False
    )
    copy.now = Configuration(version=1, keys={"k": key})
    return ApiKeys(settings, Authenticator(settings, copy), postgres, copy)


def asked(path: str, key: str | None, body: object = None) -> Exchange:
    """A request about `key_test_1`."""
    headers = [(b"authorization", b"Bearer s"), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    scope = {"method": "POST", "path": path, ROUTE: path, "query_string": b"", "headers": headers}
    raw = json.dumps(body if body is not None else {}).encode()
    return Exchange({**scope, "path_params": {"id": "key_test_1"}, BODY: raw})


async def test_without_an_answer_the_outcome_is_unknown_and_the_key_to_repeat_is_told(
    tmp_path: Path,
) -> None:
    """08 R15: the COMMIT may have come through."""
    to = handlers(tmp_path)
    for ask, path in ((to.create, "/api/v1/api_keys"), (to.rotate, "/api/v1/api_keys/1/rotate")):
        for key in ("mine", None):
            with pytest.raises(OutcomeUnknown) as unknown:
                await ask(asked(path, key))
            told = unknown.value.headers["Idempotency-Key"]
            assert told == key or (key is None and len(told) > 20)
    with pytest.raises(OutcomeUnknown) as unknown:
        await to.revoke(asked("/api/v1/api_keys/1", None))
    assert "Idempotency-Key" not in unknown.value.headers


async def test_a_request_is_known_again_by_its_key_route_and_body(tmp_path: Path) -> None:
    to = handlers(tmp_path)
    key = to._authenticator._read.keys["k"]

    def drawn(path: str, idempotency_key: str, body: dict[str, Any]) -> Any:
        model = KeyRequest.model_validate(body)
        return to._drawn(asked(path, idempotency_key), key, model)[0]

    first = drawn("/api/v1/api_keys", "a", {"name": "x"})
    assert drawn("/api/v1/api_keys", "a", {"name": "x"}) == first
    other_body = drawn("/api/v1/api_keys", "a", {"name": "y"})
    other_route = drawn("/api/v1/api_keys/1/rotate", "a", {"name": "x"})
    other_key = drawn("/api/v1/api_keys", "b", {"name": "x"})
    assert other_body.key_id == other_route.key_id == first.key_id
    assert len({first.request, other_body.request, other_route.request}) == 3
    assert other_key.key_id != first.key_id
    assert other_key.secret != first.secret


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({}, "active"),
        ({"expires_at": NOW + timedelta(seconds=1)}, "expiring"),
        ({"expires_at": NOW}, "expired"),
        ({"revoked_at": NOW}, "revoked"),
        ({"revoked_at": NOW, "expires_at": NOW + timedelta(days=1)}, "revoked"),
    ],
)
def test_a_key_has_the_status_of_what_happened_to_it(
    members: dict[str, Any], status: KeyStatus
) -> None:
    assert stored(**members).status == status
