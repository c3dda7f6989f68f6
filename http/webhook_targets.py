"""URLs that webhooks may be sent to, checked when they are set: what can be told, told at once."""

from __future__ import annotations

import asyncio

from headgate.http.problems_of_requests import UrlForbidden
from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from headgate.streams.targets import Target

RESOLVE_WAIT_S = 2.0
"""How long the name in a URL may take to resolve. What does not resolve is checked when it is
connected to; a merchant may set a URL before its name exists."""


class TargetCheck:
    """Refuses URLs. Every connection checks anew what their names lead to, since names change."""

    def __init__(self, settings: Settings) -> None:
        self._sinks = Sinks.of(settings)

    async def check(self, url: str, *, livemode: bool, param: str) -> None:
        """Raises UrlForbidden, about the member `param`."""
        try:
            await self._check_resolved(self._sinks.check_url(url, livemode=livemode))
        except WebhookUrlForbidden as error:
            raise UrlForbidden(str(error), param=param) from None

    async def _check_resolved(self, target: Target) -> None:
        if target.address is not None:
            return
        try:
            async with asyncio.timeout(RESOLVE_WAIT_S):
                found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port)
        except (OSError, TimeoutError, UnicodeError):
            return
        for *_, place in found:
            if self._sinks.why_not(str(place[0])):
                # Not which address, nor why: an answer that tells maps a network (04 §10.7).
                raise WebhookUrlForbidden(
                    f"Webhooks cannot be sent to {target.host}: it leads to an address that is "
                    "not public."
                )
