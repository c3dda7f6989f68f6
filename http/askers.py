"""Who asks for a command, and under which key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import IdempotencyKeyMissing
from headgate.http.submission import Key, key_for
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.scopes import Scope


class Asker(NamedTuple):
    """An API key, and the idempotency key that came with the request or was drawn for it."""

    api_key: ApiKey
    key: Key


class Askers:
    """Knows who may ask."""

    def __init__(self, authenticator: Authenticator, configuration: ConfigurationCopy) -> None:
        self._authenticator = authenticator
        self._configuration = configuration

    async def of(self, exchange: Exchange, scope: Scope) -> Asker:
        """Who asks. Raises what `Authenticator.key_of` does, ParameterInvalid, and
        IdempotencyKeyMissing for merchants that asked for that (08 R19)."""
        api_key = await self._authenticator.key_of(exchange, scope)
        given = exchange.idempotency_key()
        if given is None:
            self._check_keyless(api_key)
        return Asker(api_key, key_for(api_key, given))

    def _check_keyless(self, api_key: ApiKey) -> None:
        merchant = self._configuration.now.merchants.get(api_key.merchant_id)
        if merchant is not None and merchant.require_keys:
            raise IdempotencyKeyMissing(
                "This merchant asked that whatever moves money be refused without an "
                "Idempotency-Key.",
                param="Idempotency-Key",
            )


@contextmanager
def echoing(key: Key) -> Iterator[None]:
    """Every problem that is raised in the block tells the key (08 R15)."""
    try:
        yield
    except Problem as problem:
        problem.headers["Idempotency-Key"] = key.text
        raise
