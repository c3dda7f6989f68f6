"""`/api/v1/webhook_replays`: past events sent again, any number of them, as jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import get_args

import orjson
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.exchange import Exchange
from headgate.http.pages import PAGE_PARAMETERS, Listed, Pages
from headgate.http.problems_of_replays import EndpointDisabled, ReplayOver, TooManyReplays
from headgate.http.problems_of_requests import (
    KeyReused,
    ParameterInvalid,
    ParameterMissing,
    ResourceMissing,
)
from headgate.http.query import Query
from headgate.http.replay_schemas import ReplayAnswer, ReplayRequest
from headgate.http.routing import Handler, json_answer
from headgate.http.unsure import stored_or_unsure
from headgate.http.validation import body_as
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.clock import from_ms, iso, now_ms
from headgate.streams.settings import Settings
from headgate.tables import replays
from headgate.tables.conditions import Conditions
from headgate.tables.configuration import ApiKey, ConfigurationCopy, Endpoint
from headgate.tables.postgres import Postgres
from headgate.tables.replays import Change, ReplayWanted, Status, StoredReplay

REPLAY_ID = re.compile(r"rpl_[a-z2-7]{26}")
STATUSES: tuple[Status, ...] = get_args(Status)


class WebhookReplays:
    """Replays are made, watched, paused, resumed and canceled; notify works on them."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        consistency: Consistency,
        postgres: Postgres,
        configuration: ConfigurationCopy,
    ) -> None:
        self._unfinished_max = settings.replays_unfinished_max
        self._retry_after_s = settings.retry_after_s
        self._authenticator = authenticator
        self._postgres = postgres
        self._configuration = configuration
        self._pages = Pages(settings, consistency, postgres)

    async def create(self, exchange: Exchange) -> Response:
        """Begin a replay; it goes on whatever becomes of this process."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        asked = body_as(ReplayRequest, exchange, api_key)
        endpoint = await self._endpoint(asked.endpoint_id, api_key)
        if not (endpoint.enabled or asked.dry_run):
            raise EndpointDisabled(
                f"The webhook endpoint {endpoint.id} is disabled. Enable it before a replay; a dry "
                "run is possible now.",
                param="endpoint_id",
            )
        key = exchange.idempotency_key() or ids.draw_key()
        with self._problems(key):
            made = await replays.create(
                self._postgres,
                _wanted(exchange, api_key, asked, endpoint, key),
                self._unfinished_max,
            )
        headers = {"Idempotency-Key": key, "Location": f"/api/v1/webhook_replays/{made.replay.id}"}
        if made.repeated:
            headers["Idempotent-Replayed"] = "true"
        return _answer(made.replay, 201, headers)

    async def listed(self, exchange: Exchange) -> Response:
        """A page of replays, newest first."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        query, conditions = Query(exchange), Conditions(PAGE_PARAMETERS)
        status = query.word("status", STATUSES)
        if status is not None:
            conditions.add("status = {}", status)
        endpoint_id = query.text("endpoint_id")
        if endpoint_id is not None:
            conditions.add("endpoint_id = {}", endpoint_id)
        return await self._pages.answer(api_key, query, REPLAYS, conditions)

    async def show(self, exchange: Exchange) -> Response:
        """One replay, and how far it is."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        whose = (api_key.merchant_id, api_key.mode)
        replay = await replays.find(self._postgres, _id_in(exchange), whose)
        if replay is None:
            raise ResourceMissing(f"There is no replay {quoted(exchange.path('id'))}.")
        return _answer(replay)

    def changing(self, change: Change) -> Handler:
        """The handler that pauses, resumes or cancels; repeats change nothing."""

        async def handle(exchange: Exchange) -> Response:
            api_key = await self._authenticator.key_of(exchange, "webhooks:write")
            replay_id, whose = _id_in(exchange), (api_key.merchant_id, api_key.mode)
            if change == "resume":
                await self._check_enabled(replay_id, api_key)
            with self._problems(None):
                changed = await replays.change(self._postgres, change, replay_id, whose, api_key.id)
            return _answer(changed)

        return handle

    async def _check_enabled(self, replay_id: str, api_key: ApiKey) -> None:
        replay = await replays.find(self._postgres, replay_id, (api_key.merchant_id, api_key.mode))
        if replay is None or replay.status != "paused" or replay.dry_run:
            return
        endpoint = (await self._configuration.refresh()).endpoints.get(replay.endpoint_id)
        if endpoint is not None and not endpoint.enabled:
            raise EndpointDisabled(f"The webhook endpoint {endpoint.id} is disabled.")

    async def _endpoint(self, endpoint_id: str, api_key: ApiKey) -> Endpoint:
        """The endpoint as it is now; another edge may have made it just before."""
        endpoint = (await self._configuration.refresh()).endpoints.get(endpoint_id)
        whose = endpoint and (endpoint.merchant_id, endpoint.mode)
        if endpoint is None or endpoint.deleted or whose != (api_key.merchant_id, api_key.mode):
            raise ResourceMissing(
                f"There is no webhook endpoint {quoted(endpoint_id)}.", param="endpoint_id"
            )
        return endpoint

    @contextmanager
    def _problems(self, key: str | None) -> Iterator[None]:
        """Problems in place of what the transaction raises. Its COMMIT may have come through
        without an answer, so nobody is told that nothing happened (08 R15)."""
        try:
            with stored_or_unsure(self._retry_after_s, key):
                yield
        except replays.ReplayUnknown as error:
            raise ResourceMissing(str(error)) from None
        except replays.ReplayEnded as error:
            raise ReplayOver(str(error)) from None
        except replays.ReplayRequestDiffers as error:
            raise KeyReused(str(error), param="Idempotency-Key") from None
        except replays.TooManyUnfinished as error:
            raise TooManyReplays(str(error)) from None


def _wanted(
    exchange: Exchange, api_key: ApiKey, asked: ReplayRequest, endpoint: Endpoint, key: str
) -> ReplayWanted:
    """The replay that is asked for. Raises ParameterInvalid, ParameterMissing."""
    now = now_ms()
    to_ms = now if asked.to_ms is None else min(asked.to_ms, now)
    if asked.from_ms >= to_ms:
        raise ParameterInvalid("from must be before to, and in the past.", param="from")
    types = tuple(asked.types or (() if asked.only == "failed" else endpoint.event_types))
    if asked.only != "failed" and not types:
        raise ParameterMissing("The endpoint subscribes to nothing; send types.", param="types")
    said = [exchange.method, exchange.target, asked.model_dump(exclude_unset=True)]
    return ReplayWanted(
        id=ids.replay_id(api_key.merchant_id, api_key.mode, key),
        merchant_id=api_key.merchant_id,
        mode=api_key.mode,
        endpoint_id=endpoint.id,
        which=asked.only,
        types=types,
        from_at=from_ms(asked.from_ms),
        to_at=from_ms(to_ms),
        rate_per_s=asked.rate_per_s,
        dry_run=asked.dry_run,
        actor=api_key.id,
        request=hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest(),
    )


def _id_in(exchange: Exchange) -> str:
    replay_id = exchange.path("id")
    if not REPLAY_ID.fullmatch(replay_id):
        raise ResourceMissing(f"There is no replay {quoted(replay_id)}.")
    return replay_id


def _answer(
    replay: StoredReplay, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return json_answer(shown(replay), status, headers)


def shown(replay: StoredReplay) -> bytes:
    """A replay as it is answered."""
    answer = ReplayAnswer(
        id=replay.id,
        livemode=replay.mode == "live",
        endpoint_id=replay.endpoint_id,
        from_=_told(replay.from_at),
        to=_told(replay.to_at),
        types=list(replay.types),
        only=replay.which,
        rate_per_s=replay.rate_per_s,
        dry_run=replay.dry_run,
        status=replay.status,
        reason=replay.reason,
        found=replay.found,
        sent=replay.sent,
        delivered=replay.delivered,
        failed=replay.failed,
        created_at=_told(replay.created_at),
        ended_at=_told(replay.ended_at) if replay.ended_at else None,
    )
    return answer.model_dump_json(by_alias=True).encode()


def _told(at: datetime) -> str:
    return iso(round(at.timestamp() * 1000))


def _row_shown(text: str) -> bytes:
    return shown(StoredReplay.model_validate_json(text))


REPLAYS = Listed("replay", REPLAY_ID, "replays_page", "replay_place", _row_shown)
