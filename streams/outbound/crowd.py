"""How much is under way to each address: many names must not be aimed at one machine (04 §10.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from headgate.streams.addresses import is_loopback
from headgate.streams.outbound.outcome import DeliveryFailed

_NETWORK_BITS = 64
"""Whoever has one IPv6 address has all of its network's."""


class Crowd:
    """Gives out places at addresses. A party (a URL) gets at most half of what the others leave of
    an address, so that endpoints which hang there leave room for those which do not. Loopback has
    no limit: in development everything is there."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: dict[str, Counter[str]] = {}

    @contextmanager
    def place(self, address: str, party: str) -> Iterator[None]:
        """Hold a place while something is under way. Raises DeliveryFailed of kind crowded."""
        machine = _machine(address)
        if machine is None:
            yield
            return
        parties = self._under_way.setdefault(machine, Counter())
        others = parties.total() - parties[party]
        if parties[party] >= max(1, (self._most - others) // 2) or others >= self._most:
            self._tidy(machine, parties, party)
            raise DeliveryFailed("too much is under way to the receiver's address", "crowded")
        parties[party] += 1
        try:
            yield
        finally:
            parties[party] -= 1
            self._tidy(machine, parties, party)

    def _tidy(self, machine: str, parties: Counter[str], party: str) -> None:
        if not parties[party]:
            del parties[party]
        if not parties:
            self._under_way.pop(machine, None)


@lru_cache(maxsize=4096)
def _machine(address: str) -> str | None:
    """What counts as one machine; None has no limit."""
    parsed = ip_address(address)
    if is_loopback(parsed):
        return None
    if isinstance(parsed, IPv6Address):
        return f"{int(parsed) >> _NETWORK_BITS:x}::"
    return address
