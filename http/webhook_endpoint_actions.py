"""What is done with one webhook endpoint: rotate its secret, verify, hold and enable it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from headgate.http.api_keys import told
from headgate.http.exchange import Exchange
from headgate.http.problems_of_webhooks import EndpointVerificationFailed
from headgate.http.routing import json_answer
from headgate.http.validation import body_as
from headgate.http.webhook_endpoint_access import EndpointAccess, owner
from headgate.http.webhook_endpoint_schemas import EnabledAnswer, RotateSecretRequest
from headgate.http.webhook_verification import Verifier
from headgate.streams import ids
from headgate.streams.secrets import draw_webhook_secret
from headgate.tables import endpoint_secrets, endpoint_states
from headgate.tables.configuration import ApiKey
from headgate.tables.endpoint import StoredEndpoint
from headgate.tables.endpoint_secrets import Rotation

Named = Callable[[Exchange, ApiKey], Awaitable[StoredEndpoint]]
"""Which endpoint a request is about. Raises ResourceMissing, StoreUnavailable."""


class EndpointActions:
    """Actions on the endpoint that a request names. All but rotation are the same when they are
    repeated."""

    def __init__(self, access: EndpointAccess, verifier: Verifier, named: Named) -> None:
        self._access = access
        self._verifier = verifier
        self._named = named

    async def rotate_secret(self, exchange: Exchange) -> Response:
        """Give it a new secret; the old ones sign beside it until the overlap ends."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        asked = body_as(RotateSecretRequest, exchange, api_key, may_be_empty=True)
        found = await self._named(exchange, api_key)
        key = exchange.idempotency_key() or ids.draw_key()
        rotation = Rotation(
            id=ids.rotation_id(found.id, key),
            sealed_secret=self._access.box.seal(asked.secret or draw_webhook_secret()),
            overlap_s=asked.overlap_s,
            actor=api_key.id,
            request=self._access.print_of(exchange, asked),
        )
        async with self._access.changing(key):
            rotated = await endpoint_secrets.rotate(
                self._access.postgres, found.id, rotation, owner(api_key)
            )
        return self._access.new_secret(
            rotated.endpoint, key, repeated=rotated.repeated, shown=rotated.shown
        )

    async def verify(self, exchange: Exchange) -> Response:
        """Ask the receiver whether it wants webhooks. Raises EndpointVerificationFailed when it
        does not say so; a live endpoint that never was verified stays disabled then."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        found = await self._named(exchange, api_key)
        verdict = await self._verifier.ask(found.url, found.rate_per_s, owner(api_key))
        async with self._access.changing():
            judged = await endpoint_states.judge(self._access.postgres, found, verdict, api_key.id)
        if verdict.error is not None:
            raise EndpointVerificationFailed(verdict.error[:1].upper() + verdict.error[1:] + ".")
        return self._access.answer(judged)

    async def enable(self, exchange: Exchange) -> Response:
        """Send events there again, those that wait first."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        found = await self._named(exchange, api_key)
        async with self._access.changing():
            enabled, since = await endpoint_states.enable(
                self._access.postgres, found.id, api_key.id, owner(api_key)
            )
        answer = EnabledAnswer(
            **self._access.shown(enabled).model_dump(),
            missed_since=told(since) if since else None,
        )
        return json_answer(answer.model_dump_json().encode())

    async def disable(self, exchange: Exchange) -> Response:
        """Send nothing there until it is enabled again; what is under way waits."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        found = await self._named(exchange, api_key)
        async with self._access.changing():
            held, _ = await endpoint_states.hold(
                self._access.postgres, found.id, api_key.id, owner(api_key)
            )
        return self._access.answer(held)
