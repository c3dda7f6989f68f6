"""`GET /idempotency_keys/{key}`: what a key was used for, and whether that is done (01 §7.2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.routing import json_answer
from headgate.http.submission import Answer, key_for
from headgate.streams.clock import iso
from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings

_FIELDS = ("state", "command", "type", "payment", "request", "at", "status", "answer", "doubt")


class KeyUse(BaseModel):
    """What an idempotency key was used for."""

    object: Literal["idempotency_key"] = "idempotency_key"
    key: str
    state: Literal["in_progress", "completed"]
    created_at: str | None = Field(description="When it was first used.")
    request_id: str | None = Field(description="The request that used it first.")
    operation_id: str
    operation_type: str = Field(examples=["payment.refund"])
    resource_type: str = Field(examples=["refund"])
    resource_id: str
    status_code: int | None = Field(description="The answer's, once there is one.")


class _Resource(NamedTuple):
    type: str
    id: str


class IdempotencyKeys:
    """Looks a key of the asking merchant and mode up."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        claims: Claims,
        decisions: Decisions,
    ) -> None:
        self._wait_ms = settings.read_wait_ms
        self._authenticator = authenticator
        self._claims = claims
        self._decisions = decisions

    async def show(self, exchange: Exchange) -> Response:
        """What Redis knows of the key, else what PostgreSQL does; 404 when it was never used."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        key = exchange.path("key")
        key_id = key_for(api_key, key).id
        found = await self._claimed(key, key_id) or await self._stored(key, key_id)
        if found is None:
            raise ResourceMissing("This idempotency key was never used, with this API key's mode.")
        return json_answer(found.model_dump_json().encode())

    async def _claimed(self, key: str, key_id: str) -> KeyUse | None:
        try:
            held = await self._claims.fields(key_id, _FIELDS)
        except CacheUnavailable:
            return None
        state, command, kind, payment, request, at, status, body, doubt = held
        if state not in (b"claimed", b"acked") or doubt or not (command and kind and payment):
            return None
        done = state == b"acked" and status is not None and body is not None
        answer = Answer(int(status), body, "") if done and status and body else None
        resource = _resource(answer, payment.decode())
        return KeyUse(
            key=key,
            state="completed" if done else "in_progress",
            created_at=iso(int(at)) if at else None,
            request_id=request.decode() if request else None,
            operation_id=command.decode(),
            operation_type=kind.decode(),
            resource_type=resource.type,
            resource_id=resource.id,
            status_code=answer.status if answer else None,
        )

    async def _stored(self, key: str, key_id: str) -> KeyUse | None:
        uses = await self._decisions.uses_of(key_id, self._wait_ms)
        if not uses:
            return None
        first = uses[0]
        answer = first.answer()
        resource = _resource(answer, first.payment_id)
        return KeyUse(
            key=key,
            state="completed",
            created_at=first.asked_at,
            request_id=answer.request_id if answer else first.request_id,
            operation_id=first.command_id,
            operation_type=first.type,
            resource_type=resource.type,
            resource_id=resource.id,
            status_code=answer.status if answer else None,
        )


def _resource(answer: Answer | None, payment_id: str) -> _Resource:
    """What the answer shows; the payment, while there is none or when it was a refusal."""
    if answer is None or answer.status >= 400:  # noqa: PLR2004
        return _Resource("payment", payment_id)
    told = orjson.loads(answer.body)
    return _Resource(told["object"], told["id"])
