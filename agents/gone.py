"""Endpoints that answered 410: they are disabled, as soon as PostgreSQL can be told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from headgate.streams.errors import Unavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy, Endpoint

log = structlog.get_logger(__name__)

Disable = Callable[[Endpoint], Awaitable[bool]]
"""Puts an endpoint on hold while it still has the URL that answered; whether it was enabled."""


class Gone:
    """410 means: no more webhooks (04 §9.6). Each endpoint is disabled once, in the background:
    its lane must not wait for the database."""

    def __init__(
        self, settings: Settings, disable: Disable, configuration: ConfigurationCopy
    ) -> None:
        self._disable = disable
        self._configuration = configuration
        self._pause_s = settings.retry_backoff_ms / 1000
        self._waiting: dict[str, Endpoint] = {}
        self._told = asyncio.Event()

    def note(self, endpoint: Endpoint) -> None:
        """This endpoint wants no more webhooks."""
        self._waiting[endpoint.id] = endpoint
        self._told.set()

    async def run(self) -> None:
        """Work for ever; with PostgreSQL away the same endpoints are tried again."""
        while True:
            await self._told.wait()
            try:
                await self.disable_all()
            except Unavailable as error:
                log.warning("gone endpoints wait", reason=str(error))
                await asyncio.sleep(self._pause_s)

    async def disable_all(self) -> None:
        """Disable those that wait, and know of it at once. Raises Unavailable."""
        while self._waiting:
            endpoint = next(iter(self._waiting.values()))
            if await self._disable(endpoint):
                log.info("endpoint disabled", endpoint=endpoint.id, reason="it answered 410")
            self._waiting.pop(endpoint.id, None)
        self._told.clear()
        await self._configuration.refresh()
