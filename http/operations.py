"""`/api/v1/operations/{id}`: what became of a command that was answered 202."""

from __future__ import annotations

import re

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.decisions import Decided, Decisions
from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import NotCaughtUp
from headgate.http.routing import json_answer
from headgate.http.schemas import OperationAnswer
from headgate.streams.cards import quoted
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey

COMMAND_ID = re.compile(r"cmd_[a-z2-7]{26}")


class Operations:
    """`GET /operations/{id}`."""

    def __init__(
        self, settings: Settings, authenticator: Authenticator, decisions: Decisions
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._decisions = decisions

    async def show(self, exchange: Exchange) -> Response:
        """The decision about a command. One that settle has not read yet is not "not found"."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        command_id = exchange.path("id")
        missing = ResourceMissing(f"There is no operation {quoted(command_id)}.")
        if not COMMAND_ID.fullmatch(command_id):
            raise missing
        wait_ms = self._settings.read_wait_ms
        decided = await self._decisions.of(command_id, wait_ms)
        if decided is None:
            if not await self._decisions.caught_up(range(self._settings.partitions), wait_ms):
                raise NotCaughtUp(
                    "The settle worker has not decided yet. Try again.",
                    retry_after_s=self._settings.retry_after_s,
                )
            decided = await self._decisions.of(command_id, wait_ms)
        if decided is None or not _belongs(decided, api_key):
            raise missing
        return json_answer(_operation(decided).model_dump_json().encode())


def _belongs(decided: Decided, api_key: ApiKey) -> bool:
    """Whether this key may see it: its merchant's, and its mode's if there is a payment."""
    mode = decided.payment.mode if decided.payment is not None else api_key.mode
    return (decided.merchant_id, mode) == (api_key.merchant_id, api_key.mode)


def _operation(decided: Decided) -> OperationAnswer:
    return OperationAnswer(
        id=decided.command_id,
        type=decided.type,
        payment_id=decided.payment_id,
        status="refused" if decided.refusal else "succeeded",
        refusal=decided.refusal,
        log_position=decided.position,
    )
