"""`GET /asyncapi.json` and `GET /schemas/{kind}.json`: what downstream consumers may rely on."""

from __future__ import annotations

import asyncio

import orjson
from starlette.responses import Response

from headgate.http.asyncapi import document
from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.routing import json_answer
from headgate.streams.cards import quoted
from headgate.streams.schemas import PUBLISHED
from headgate.streams.settings import Settings


class Contracts:
    """Both need no API key: they hold nothing of any merchant."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._document: bytes | None = None

    async def asyncapi(self, exchange: Exchange) -> Response:
        """The AsyncAPI document, made when it is first asked for: that takes a while."""
        del exchange
        if self._document is None:
            made = await asyncio.to_thread(document, self._settings)
            self._document = orjson.dumps(made)
        return json_answer(self._document)

    async def schema(self, exchange: Exchange) -> Response:
        """The JSON Schema of one kind of record."""
        name = exchange.path("name")
        published = PUBLISHED.get(name.removesuffix(".json"))
        if published is None or not name.endswith(".json"):
            raise ResourceMissing(
                f"There is no schema {quoted(name)}; the messages of /asyncapi.json name them all."
            )
        return json_answer(orjson.dumps(published.schema()))
