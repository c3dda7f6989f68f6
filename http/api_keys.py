"""`/api/v1/api_keys`: keys are made, listed, rotated and revoked by keys of the same mode."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import LIMIT_DEFAULT, Exchange, whole_number
from headgate.http.key_schemas import KeyAnswer, KeyRequest, NewKeyAnswer, RotateRequest
from headgate.http.problems_of_access import (
    ApiKeyNotActive,
    ApiKeyRevoked,
    PermissionDenied,
    TooManyApiKeys,
)
from headgate.http.problems_of_requests import KeyReused, ParameterInvalid, ResourceMissing
from headgate.http.routing import json_answer
from headgate.http.unsure import stored_or_unsure
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.clock import iso
from headgate.streams.errors import StoreUnavailable
from headgate.streams.secrets import ApiSecrets
from headgate.streams.settings import Settings
from headgate.tables import api_keys
from headgate.tables.api_keys import Drawn, KeyMade, KeyWanted, StoredKey
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.postgres import Postgres
from headgate.tables.scopes import OPERATOR, in_order

KEY_ID = re.compile(r"key_(test|live)_[a-z0-9]{1,64}")
SELF_OVERLAP_S_MIN = api_keys.SHOWN_AGAIN_S
"""A key that rotates itself must outlive the time in which a lost answer can be asked for again."""


class ApiKeys:
    """Every key sees and changes the keys of its own merchant and mode, no others."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        configuration: ConfigurationCopy,
    ) -> None:
        self._authenticator = authenticator
        self._postgres = postgres
        self._configuration = configuration
        self._secrets = ApiSecrets(settings.secret_key)
        self._page_size_max = settings.page_size_max
        self._retry_after_s = settings.retry_after_s

    async def listed(self, exchange: Exchange) -> Response:
        """A page of keys, newest first; also those that work no longer."""
        api_key = await self._authenticator.key_of(exchange, "keys:read")
        query = exchange.query()
        limit = whole_number(query, "limit", LIMIT_DEFAULT, least=1, most=self._page_size_max)
        after = query.get("starting_after")
        if after is not None and await self._find(after, api_key) is None:
            raise ParameterInvalid(
                f"starting_after is {quoted(after)}, which is no API key of yours.",
                param="starting_after",
            )
        found = await api_keys.listed(
            self._postgres, api_key.merchant_id, [api_key.mode], limit + 1, after
        )
        more, page = len(found) > limit, found[:limit]
        return json_answer(
            {
                "object": "list",
                "data": [shown(key).model_dump() for key in page],
                "has_more": more,
                "next_cursor": page[-1].id if more else None,
            }
        )

    async def show(self, exchange: Exchange) -> Response:
        """One key, without its secret."""
        api_key = await self._authenticator.key_of(exchange, "keys:read")
        return _answer(shown(await self._of_path(exchange, api_key)))

    async def create(self, exchange: Exchange) -> Response:
        """Make a key that may do at most what the key may that makes it."""
        api_key = await self._authenticator.key_of(exchange, "keys:write")
        asked = body_as(KeyRequest, exchange, api_key)
        drawn, key = self._drawn(exchange, api_key, asked)
        wanted = self._wanted(asked, api_key)
        async with self._changing(key):
            made = await api_keys.create(self._postgres, wanted, drawn)
        return _made(made, api_key, key)

    async def rotate(self, exchange: Exchange) -> Response:
        """Replace a key by one that may do the same, and let both work for a while."""
        api_key = await self._authenticator.key_of(exchange, "keys:write")
        asked = body_as(RotateRequest, exchange, api_key, may_be_empty=True)
        drawn, key = self._drawn(exchange, api_key, asked)
        old = await self._of_path(exchange, api_key)
        _check_grant(old.scopes, api_key)
        if old.id == api_key.id and asked.overlap_s < SELF_OVERLAP_S_MIN:
            raise ParameterInvalid(
                f"A key that rotates itself needs an overlap_s of at least {SELF_OVERLAP_S_MIN}, "
                "or a lost answer would lock you out.",
                param="overlap_s",
            )
        whose = (api_key.merchant_id, api_key.mode)
        async with self._changing(key):
            made = await api_keys.rotate(self._postgres, old.id, drawn, asked.overlap_s, whose)
        return _made(made, api_key, key)

    async def revoke(self, exchange: Exchange) -> Response:
        """End a key at once. The key that asks ends itself only if it names itself twice."""
        api_key = await self._authenticator.key_of(exchange, "keys:write")
        key_id = exchange.path("id")
        if not KEY_ID.fullmatch(key_id):
            raise _missing(key_id)
        if key_id == api_key.id and exchange.query().get("confirm") != key_id:
            raise ParameterInvalid(
                "This is the key that you are using. Revoke it with another one, or send "
                "confirm with its id to lock yourself out.",
                param="confirm",
            )
        whose = (api_key.merchant_id, api_key.mode)
        async with self._changing(None):
            key = await api_keys.revoke(self._postgres, key_id, api_key.id, whose)
        return _answer(shown(key))

    def _wanted(self, asked: KeyRequest, api_key: ApiKey) -> KeyWanted:
        """The key that is asked for, within what the asking key may grant."""
        scopes = frozenset(asked.scopes or api_key.scopes - {OPERATOR})
        _check_grant(scopes, api_key)
        most = self._authenticator.limits.writes_per_s(api_key)
        if asked.rate_per_s is not None and most and asked.rate_per_s > most:
            raise ParameterInvalid(
                f"rate_per_s is {asked.rate_per_s}; the key that makes it may make {most} writes a "
                "second.",
                param="rate_per_s",
            )
        return KeyWanted(
            merchant_id=api_key.merchant_id,
            mode=api_key.mode,
            name=asked.name,
            scopes=scopes,
            rate_per_s=asked.rate_per_s or api_key.rate_per_s,
            strict_parameters=asked.strict_parameters,
        )

    def _drawn(self, exchange: Exchange, api_key: ApiKey, asked: BaseModel) -> tuple[Drawn, str]:
        """The pair that this request makes, always the same for its Idempotency-Key, and that."""
        key = exchange.idempotency_key() or ids.draw_key()
        key_id = ids.api_key_id(api_key.merchant_id, api_key.mode, key)
        secret = self._secrets.of(key_id, api_key.mode, key)
        said = [exchange.method, exchange.target, asked.model_dump(exclude_unset=True)]
        raw = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        return Drawn(key_id, secret, api_key.id, hashlib.sha256(raw).hexdigest()), key

    async def _find(self, key_id: str, api_key: ApiKey) -> StoredKey | None:
        if not KEY_ID.fullmatch(key_id):
            return None
        whose = (api_key.merchant_id, api_key.mode)
        return await api_keys.find(self._postgres, key_id, whose)

    async def _of_path(self, exchange: Exchange, api_key: ApiKey) -> StoredKey:
        key_id = exchange.path("id")
        found = await self._find(key_id, api_key)
        if found is None:
            raise _missing(key_id)
        return found

    @asynccontextmanager
    async def _changing(self, key: str | None) -> AsyncIterator[None]:
        """Problems in place of what the transaction raises. Its COMMIT may have come through
        without an answer, so nobody is told that nothing happened (08 R15)."""
        try:
            with stored_or_unsure(self._retry_after_s, key):
                yield
        except api_keys.KeyUnknown as error:
            raise ResourceMissing(str(error)) from None
        except api_keys.ActorNotActive as error:
            raise ApiKeyRevoked(str(error)) from None
        except api_keys.KeyNotActive as error:
            raise ApiKeyNotActive(str(error)) from None
        except api_keys.TooManyKeys as error:
            raise TooManyApiKeys(str(error)) from None
        except api_keys.KeyRequestDiffers as error:
            raise KeyReused(str(error), param="Idempotency-Key") from None
        with contextlib.suppress(StoreUnavailable):  # It is stored; the copy follows in a second.
            await self._configuration.refresh()


def _check_grant(scopes: Iterable[str], api_key: ApiKey) -> None:
    """Nobody hands out more than they have; and only the command line hands out `operator`."""
    if OPERATOR in scopes:
        raise PermissionDenied(
            "The scope operator is granted and renewed by `headgate merchant key` only."
        )
    lacking = in_order(set(scopes) - api_key.scopes)
    if lacking:
        raise PermissionDenied(
            f"{api_key.id} cannot hand out what it does not have: {', '.join(lacking)}."
        )


def _made(made: KeyMade, api_key: ApiKey, key: str) -> Response:
    """The answer to a request that made a key, or to its repeat."""
    # The repeat may come from a key that may do less than the one that made this one.
    secret = made.secret if set(made.key.scopes) <= api_key.scopes else None
    headers = {"Idempotency-Key": key, "Location": f"/api/v1/api_keys/{made.key.id}"}
    if made.repeated:
        headers["Idempotent-Replayed"] = "true"
    answer = NewKeyAnswer(**shown(made.key).model_dump(), secret=secret)
    return json_answer(answer.model_dump_json().encode(), 201, headers)


def _answer(answer: KeyAnswer) -> Response:
    return json_answer(answer.model_dump_json().encode())


def _missing(key_id: str) -> ResourceMissing:
    return ResourceMissing(f"There is no API key {quoted(key_id)}.")


def shown(key: StoredKey) -> KeyAnswer:
    """A key as it is answered: all but what opens it."""
    return KeyAnswer(
        id=key.id,
        merchant_id=key.merchant_id,
        livemode=key.mode == "live",
        name=key.name,
        scopes=in_order(key.scopes),
        rate_per_s=key.rate_per_s,
        strict_parameters=key.strict_parameters,
        status=key.status,
        created_at=told(key.created_at),
        expires_at=told(key.expires_at) if key.expires_at else None,
        revoked_at=told(key.revoked_at) if key.revoked_at else None,
        replaced_by=key.replaced_by,
    )


def told(at: datetime) -> str:
    """A time of PostgreSQL's as answers have it."""
    return iso(round(at.timestamp() * 1000))
