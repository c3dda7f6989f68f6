"""`/api/v1/operations/{id}`: what became of a command that was answered 202."""

from __future__ import annotations

import re

import orjson
from starlette.responses import Response

from headgate.http.answers import OperationAnswer
from headgate.http.auth import Authenticator
from headgate.http.decided import Decided
from headgate.http.decisions import Decisions
from headgate.http.exchange import Exchange
from headgate.http.pending import ASK_AGAIN, Pending
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import NotCaughtUp
from headgate.http.routing import json_answer
from headgate.streams.cards import quoted
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey

COMMAND_ID = re.compile(r"cmd_[a-z2-7]{26}")


class Operations:
    """`GET /operations/{id}`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        decisions: Decisions,
        pending: Pending,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._decisions = decisions
        self._pending = pending

    async def show(self, exchange: Exchange) -> Response:
        """The decision about a command. One that settle has not read yet is not "not found"."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        command_id = exchange.path("id")
        if not COMMAND_ID.fullmatch(command_id):
            raise _missing(command_id)
        answer = await self._decided(command_id, api_key)
        if answer is None:
            answer = await self._shown(command_id, api_key)
        if answer is None:
            answer = await self._waited_for(command_id, api_key)
        headers = ASK_AGAIN if answer.status == "pending" else None
        return json_answer(answer.model_dump_json().encode(), headers=headers)

    async def _decided(self, command_id: str, api_key: ApiKey) -> OperationAnswer | None:
        """What settle decided, if it has. Raises ResourceMissing when somebody else asked for it;
        StoreUnavailable, unless Redis may know that it is pending."""
        try:
            decided = await self._decisions.of(command_id, self._settings.read_wait_ms)
        except StoreUnavailable:
            answer = await self._shown(command_id, api_key)
            if answer is None:
                raise
            return answer
        if decided is None:
            return None
        if (decided.merchant_id, decided.mode) != (api_key.merchant_id, api_key.mode):
            raise _missing(command_id)
        return _operation(decided)

    async def _shown(self, command_id: str, api_key: ApiKey) -> OperationAnswer | None:
        """What the edge that answered 202 told of it."""
        told = await self._pending.of(command_id, api_key)
        return OperationAnswer.model_validate(told) if told else None

    async def _waited_for(self, command_id: str, api_key: ApiKey) -> OperationAnswer:
        partitions, wait_ms = range(self._settings.partitions), self._settings.read_wait_ms
        if not await self._decisions.caught_up(partitions, wait_ms):
            raise NotCaughtUp(
                "The settle worker has not decided yet. Try again.",
                retry_after_s=self._settings.retry_after_s,
            )
        answer = await self._decided(command_id, api_key)
        if answer is None:
            raise _missing(command_id)
        return answer


def _missing(command_id: str) -> ResourceMissing:
    return ResourceMissing(f"There is no operation {quoted(command_id)}.")


def _operation(decided: Decided) -> OperationAnswer:
    answer = decided.answer()
    return OperationAnswer(
        id=decided.command_id,
        type=decided.type,
        payment_id=decided.payment_id,
        status="refused" if decided.refusal else "succeeded",
        status_code=answer.status if answer else None,
        refusal=decided.refusal,
        result=orjson.loads(answer.body) if answer else None,
        log_position=decided.position,
    )
