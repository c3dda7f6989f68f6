"""Names of receivers to vetted addresses, looked up again after a minute."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from headgate.streams.outbound.outcome import DeliveryFailed, FailureKind
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from headgate.streams.targets import Target

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""From a host and port to all its addresses, of both families. Raises OSError."""

_HOSTS_MAX = 10_000
_RENEWED = 0.5
"""The share of its time after which a name that is in use is looked up again."""


class _Entry(NamedTuple):
    """What is known about a name: its addresses, or why it has none."""

    known_until: float
    renew_at: float
    """From then on whoever asks makes us look again, and need not wait for it."""
    addresses: list[str]
    reason: str = ""
    kind: FailureKind = "dns"


class Resolver:
    """Every answer passes the filter, or the whole name is refused: mixed answers are an attack
    (04 §10.2). Because callers connect to what is returned here and to nothing else, a name that
    changes its mind between check and connection (rebinding) gains nothing.

    A name that is in use is looked up again before its time is over, so that no webhook waits for
    it; and names that never led anywhere get half of the lookups at most: whoever registers
    hundreds that no server answers for holds up none that work.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None) -> None:
        self._sinks = Sinks.of(settings)
        self._cache_s = settings.webhook_dns_cache_s
        self._failure_cache_s = min(settings.webhook_dns_failure_cache_s, self._cache_s)
        # Threads of our own: a merchant's slow name server must not hold up what else the
        # process does in threads, and each name is looked up by one of them at a time.
        self._threads = ThreadPoolExecutor(settings.webhook_dns_lookups_max, "lookup")
        self._for_unproven = asyncio.Semaphore(max(1, settings.webhook_dns_lookups_max // 2))
        self._lookup = lookup or self._look_up_in_thread
        self._known: dict[str, _Entry] = {}
        self._running: dict[str, asyncio.Task[_Entry]] = {}

    def known(self, target: Target) -> list[str] | None:
        """The addresses found less than a minute ago, or None. Raises DeliveryFailed when the
        name was refused or not found a moment ago."""
        entry, now = self._known.get(target.host), asyncio.get_running_loop().time()
        if entry is None or entry.known_until < now:
            return None
        if entry.renew_at < now:
            self._begin(target)
        return _addresses(entry)

    async def resolve(self, target: Target) -> list[str]:
        """The addresses to connect to. Raises DeliveryFailed of kind dns or blocked. The caller
        bounds the wait; the lookup goes on without it and serves the next one."""
        return _addresses(await asyncio.shield(self._begin(target)))

    def _begin(self, target: Target) -> asyncio.Task[_Entry]:
        """The lookup of this name, begun unless it is under way."""
        task = self._running.get(target.host)
        if task is None:
            task = asyncio.create_task(self._find(target))
            self._running[target.host] = task
        return task

    def close(self) -> None:
        """Start no more lookups."""
        for task in self._running.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _find(self, target: Target) -> _Entry:
        before = self._known.get(target.host)
        try:
            if before is not None and before.addresses:
                entry = self._kept(before, await self._ask(target))
            else:
                async with self._for_unproven:
                    entry = await self._ask(target)
        finally:
            del self._running[target.host]
        if len(self._known) >= _HOSTS_MAX:
            del self._known[next(iter(self._known))]
        self._known.pop(target.host, None)
        self._known[target.host] = entry
        return entry

    def _kept(self, before: _Entry, found: _Entry) -> _Entry:
        """What is known still holds for its time when a name server fails, and is given up at
        once when it answers with a blocked address."""
        now = asyncio.get_running_loop().time()
        if found.reason and found.kind == "dns" and before.known_until > now:
            return before._replace(renew_at=now + self._failure_cache_s)
        return found

    async def _ask(self, target: Target) -> _Entry:
        loop = asyncio.get_running_loop()
        if target.address is not None:
            addresses = [str(target.address)]
        else:
            try:
                addresses = await self._lookup(target.host, target.port)
            except (OSError, UnicodeError) as error:
                words = error.strerror if isinstance(error, OSError) else None
                reason = f"the name {target.host} was not found: {words or 'no address'}"
                return self._failed(reason, "dns")
        now = loop.time()
        if any(self._sinks.why_not(one) for one in addresses):
            # Not which address, nor why: this text reaches the merchant (04 §10.7).
            reason = f"{target.host} leads to an address that webhooks must not be sent to"
            return self._failed(reason, "blocked")
        return _Entry(now + self._cache_s, now + self._cache_s * _RENEWED, addresses)

    def _failed(self, reason: str, kind: FailureKind) -> _Entry:
        until = asyncio.get_running_loop().time() + self._failure_cache_s
        return _Entry(until, until, [], reason, kind)

    async def _look_up_in_thread(self, host: str, port: int) -> list[str]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _addresses(entry: _Entry) -> list[str]:
    if entry.reason:
        raise DeliveryFailed(entry.reason, entry.kind)
    return entry.addresses
