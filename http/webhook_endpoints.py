"""`/api/v1/webhook_endpoints`: where events are sent; made, listed, changed and deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from headgate.http.exchange import LIMIT_DEFAULT, Exchange, whole_number
from headgate.http.problems_of_requests import ParameterInvalid, ParameterMissing
from headgate.http.routing import json_answer
from headgate.http.validation import body_as
from headgate.http.webhook_endpoint_access import EndpointAccess, owner
from headgate.http.webhook_endpoint_schemas import EndpointChangeRequest, EndpointRequest
from headgate.http.webhook_headers import sealed_headers
from headgate.http.webhook_targets import TargetCheck
from headgate.http.webhook_verification import Verifier
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.streams.signatures_asymmetric import draw_signing_key
from headgate.tables import endpoints
from headgate.tables.api_keys import SHOWN_AGAIN_S
from headgate.tables.configuration import ApiKey
from headgate.tables.endpoint import Drawn, EndpointWanted, Verdict


class WebhookEndpoints:
    """Endpoints as a collection and one by one."""

    def __init__(self, settings: Settings, access: EndpointAccess, verifier: Verifier) -> None:
        self._access = access
        self._verifier = verifier
        self._targets = TargetCheck(settings)
        self._endpoints_max = settings.webhook_endpoints_max
        self._page_size_max = settings.page_size_max

    async def listed(self, exchange: Exchange) -> Response:
        """A page of endpoints, newest first; deleted ones are not in it."""
        api_key = await self._access.key_of(exchange, "webhooks:read")
        query = exchange.query()
        limit = whole_number(query, "limit", LIMIT_DEFAULT, least=1, most=self._page_size_max)
        after = query.get("starting_after")
        if after is not None and await self._access.find(after, api_key) is None:
            raise ParameterInvalid(
                f"starting_after is {quoted(after)}, which is no webhook endpoint of yours.",
                param="starting_after",
            )
        whose = owner(api_key)
        found = await endpoints.listed(self._access.postgres, whose, limit + 1, after)
        more, page = len(found) > limit, found[:limit]
        return json_answer(
            {
                "object": "list",
                "data": [self._access.shown(one).model_dump() for one in page],
                "has_more": more,
                "next_cursor": page[-1].id if more else None,
            }
        )

    async def show(self, exchange: Exchange) -> Response:
        """One endpoint; also what is left of a deleted one."""
        api_key = await self._access.key_of(exchange, "webhooks:read")
        return self._access.answer(await self._access.of_path(exchange, api_key))

    async def create(self, exchange: Exchange) -> Response:
        """Make an endpoint. In live mode its receiver is asked first, and it begins disabled when
        that does not agree; its merchant has the secret then, which the receiver may need."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        asked = body_as(EndpointRequest, exchange, api_key)
        wanted = changed(
            EndpointWanted(asked.url, asked.event_types), self._given(asked), self._access.box
        )
        key = exchange.idempotency_key() or ids.draw_key()
        drawn = self._drawn(exchange, asked, api_key, key)
        verdict = None
        if await self._access.find(drawn.endpoint_id, api_key) is None:
            verdict = await self._consent(wanted.url, wanted.rate_per_s, api_key)
        async with self._access.changing(key):
            made, repeated = await endpoints.create(
                *(self._access.postgres, owner(api_key), wanted, drawn),
                *(self._endpoints_max, verdict),
            )
        age = made.read_at - made.created_at
        shown = not repeated or (age.total_seconds() < SHOWN_AGAIN_S and made.status != "deleted")
        return self._access.new_secret(made, key, repeated=repeated, shown=shown)

    async def change(self, exchange: Exchange) -> Response:
        """Change what is given; in live mode a new URL's receiver is asked first."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        asked = body_as(EndpointChangeRequest, exchange, api_key)
        if not asked.model_fields_set:
            raise ParameterMissing("Send at least one member to change.", param="url")
        given = self._given(asked)
        found = await self._access.alive(exchange, api_key)
        wanted = changed(found.wanted, given, self._access.box)
        verdict = None
        if wanted.url != found.url:
            verdict = await self._consent(wanted.url, wanted.rate_per_s, api_key)
        async with self._access.changing():
            stored = await endpoints.change(
                *(self._access.postgres, found.id, api_key.id, owner(api_key)),
                lambda now: changed(now, given, self._access.box),
                verdict,
            )
        return self._access.answer(stored)

    async def delete(self, exchange: Exchange) -> Response:
        """Delete an endpoint for ever; what is under way to it is canceled."""
        api_key = await self._access.key_of(exchange, "webhooks:write")
        found = await self._access.of_path(exchange, api_key)
        async with self._access.changing():
            deleted = await endpoints.delete(
                self._access.postgres, found.id, api_key.id, owner(api_key)
            )
        return self._access.answer(deleted)

    async def _consent(self, url: str, rate_per_s: int | None, api_key: ApiKey) -> Verdict | None:
        """Whether webhooks may be sent there. Raises UrlForbidden, RateLimited."""
        await self._targets.check(url, livemode=api_key.mode == "live", param="url")
        if api_key.mode != "live":
            return None
        return await self._verifier.ask(url, rate_per_s, owner(api_key))

    def _drawn(
        self, exchange: Exchange, asked: EndpointRequest, api_key: ApiKey, key: str
    ) -> Drawn:
        return Drawn(
            endpoint_id=ids.endpoint_id(*owner(api_key), key),
            sealed_secret=self._access.box.seal(asked.secret or draw_webhook_secret()),
            actor=api_key.id,
            request=self._access.print_of(exchange, asked),
        )

    def _given(self, asked: EndpointChangeRequest) -> dict[str, Any]:
        return {name: getattr(asked, name) for name in asked.model_fields_set - {"secret"}}


def changed(wanted: EndpointWanted, given: dict[str, Any], box: SecretBox) -> EndpointWanted:
    """What an endpoint becomes by what is given; pure, but for seals and the drawing of a key.

    Raises ParameterInvalid for members that do not fit each other, and SecretUnreadable.
    """
    members: dict[str, Any] = {
        name: given[name]
        for name in ("url", "event_types", "fifo", "fifo_blocks", "schedule")
        if name in given
    }
    for name in ("description", "rate_per_s"):
        if name in given:
            members[name] = given[name] or None
    if "waits_s" in given:
        members["waits_ms"] = [wait_s * 1000 for wait_s in given["waits_s"]]
        members.setdefault("schedule", "custom")
    elif members.get("schedule", wanted.schedule) != "custom":
        members["waits_ms"] = []
    if "headers" in given:
        members["sealed_headers"] = _headers(given["headers"], wanted.sealed_headers, box)
    if given.get("asymmetric") and wanted.sealed_signing_key is None:
        members["sealed_signing_key"] = box.seal(draw_signing_key())
    elif given.get("asymmetric") is False:
        members["sealed_signing_key"] = None
    return _fitting(replace(wanted, **members))


def _headers(given: dict[str, str], stored: str | None, box: SecretBox) -> str | None:
    try:
        return sealed_headers(box, given, stored)
    except KeyError as unknown:
        raise ParameterInvalid(
            f"headers: the value of {unknown.args[0]} is masked, and none is stored.",
            param="headers",
        ) from None


def _fitting(wanted: EndpointWanted) -> EndpointWanted:
    if (wanted.schedule == "custom") != bool(wanted.waits_ms):
        raise ParameterInvalid(
            "A custom schedule needs waits_s, and no other schedule takes them.", param="waits_s"
        )
    if wanted.fifo_blocks and not wanted.fifo:
        raise ParameterInvalid("fifo_blocks needs fifo.", param="fifo_blocks")
    return wanted
