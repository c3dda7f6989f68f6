"""The receiver's consent: the handshake of CloudEvents, before live webhooks are sent.

`OPTIONS` with `WebHook-Request-Origin`; who wants webhooks answers `WebHook-Allowed-Origin` with
the same name or `*`, and may say in `WebHook-Allowed-Rate` how many a minute.
"""

from __future__ import annotations

import asyncio

import httpx
import structlog

from headgate.http.limits import MINUTE_S, Buckets
from headgate.http.problems_of_access import RateLimited
from headgate.streams.outbound.outcome import BlockedAddress
from headgate.streams.settings import Settings
from headgate.tables.endpoint import Owner, Verdict

log = structlog.get_logger(__name__)

ANY = "*"
RATE_DIGITS_MAX = 9


class Verifier:
    """Asks receivers. It may not become a tool against those who have not asked for anything: a
    merchant has so many tries a minute, and an edge so many at a time."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport) -> None:
        self._origin = settings.webhook_origin
        self._per_min = settings.webhook_verifications_per_min
        self._transport = transport
        self._buckets = Buckets()
        self._places = asyncio.Semaphore(settings.webhook_verifications_max)

    async def ask(self, url: str, rate_per_s: int | None, whose: Owner) -> Verdict:
        """What the receiver says. Raises RateLimited."""
        self._count(whose)
        headers = {"WebHook-Request-Origin": self._origin, "Accept": "*/*"}
        if rate_per_s is not None:
            headers["WebHook-Request-Rate"] = str(rate_per_s * MINUTE_S)
        async with self._places:
            try:
                request = httpx.Request("OPTIONS", url, headers=headers)
                answer = await self._transport.handle_async_request(request)
            except BlockedAddress:
                return Verdict("the URL leads to an address that webhooks must not go to")
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                log.info("receiver not reached", merchant_id=whose[0], reason=str(error))
                return Verdict(f"the receiver gave no answer: {error}")
        return judged(answer, self._origin)

    def _count(self, whose: Owner) -> None:
        if not self._per_min:
            return
        left = self._buckets.take(whose, self._per_min / MINUTE_S, self._per_min)
        if left < 0:
            wait_s = max(1, round(-left))
            raise RateLimited(
                f"Receivers are asked {self._per_min} times a minute for one merchant. Nothing "
                f"happened; try again in {wait_s} s.",
                retry_after_s=wait_s,
                reason="object",
            )


def judged(answer: httpx.Response, origin: str) -> Verdict:
    """The verdict that an answer to the handshake is."""
    if not answer.is_success:
        return Verdict(f"the receiver answered {answer.status_code} to OPTIONS; it must be 2xx")
    allowed = answer.headers.get("webhook-allowed-origin", "").strip()
    if not allowed:
        return Verdict(f"the answer to OPTIONS has no WebHook-Allowed-Origin; send {origin} or *")
    if allowed != ANY and allowed.lower() != origin.lower():
        return Verdict(f"WebHook-Allowed-Origin is another's; it must be {origin} or *")
    rate = answer.headers.get("webhook-allowed-rate", ANY).strip()
    if rate == ANY:
        return Verdict()
    digits = rate.isascii() and rate.isdigit() and len(rate) <= RATE_DIGITS_MAX
    if not digits or int(rate) == 0:
        return Verdict("WebHook-Allowed-Rate must be a whole number of attempts a minute, or *")
    return Verdict(allowed_per_min=int(rate))
