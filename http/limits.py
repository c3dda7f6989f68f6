"""How often: token buckets in memory, one set per edge process, so that counting costs nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable
from functools import lru_cache
from typing import Literal

from headgate.http.exchange import Exchange
from headgate.http.problems_of_access import RateLimited
from headgate.streams.networks import network_of
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey

BUCKETS_MAX = 50_000
"""Buckets that one process remembers, 15 MB. Beyond it those that were not used for
longest are forgotten, which gives whoever they belong to a full one."""
NAME_CHARACTERS_MAX = 40
"""Of an id in a path, which may be anything."""
MINUTE_S = 60

_READS = frozenset({"GET", "HEAD"})
_PAYMENT_ROUTE = "/api/v1/payments/{id}"

Reason = Literal["key", "object", "address"]


class Buckets:
    """Token buckets by name, in two generations: when the young one is full, it becomes the old
    one, and what was old and not used since is forgotten."""

    def __init__(self, most: int = BUCKETS_MAX) -> None:
        self._generation_max = max(1, most // 2)
        self._young: dict[Hashable, list[float]] = {}
        self._old: dict[Hashable, list[float]] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, name: Hashable, rate_per_s: float, size: int) -> float:
        """Take a token and tell how many are left; below zero none was there, and the number is
        that of seconds until there is one again."""
        now = time.monotonic()
        bucket = self._young.get(name)
        if bucket is None:
            bucket = self._brought_forward(name, size, now)
        tokens = min(size, bucket[0] + (now - bucket[1]) * rate_per_s)
        bucket[1] = now
        if tokens < 1:
            bucket[0] = tokens
            return (tokens - 1) / rate_per_s
        bucket[0] = tokens - 1
        return bucket[0]

    def _brought_forward(self, name: Hashable, size: int, now: float) -> list[float]:
        bucket = self._old.pop(name, None) or [size, now]
        if len(self._young) >= self._generation_max:
            self._old, self._young = self._young, {}
        self._young[name] = bucket
        return bucket


class Policy:
    """A limit as the `RateLimit` fields tell it: `quota` requests in `window_s`."""

    __slots__ = ("_name", "_window_s", "quota", "rate_per_s", "told")

    def __init__(self, name: str, quota: int, window_s: int) -> None:
        self._name = f'"{name}"'
        self._window_s = window_s
        self.quota = quota
        self.rate_per_s = quota / window_s
        self.told = f"{self._name};q={quota};w={window_s}"
        """The item of `RateLimit-Policy`."""

    def state(self, left: float) -> str:
        """The item of `RateLimit`: how much is left, and in how many seconds there is more: one,
        or else all."""
        if left < 0:
            return f"{self._name};r=0;t={math.ceil(-left)}"
        if self._window_s == 1:
            return f"{self._name};r={int(left)};t=1"
        full_in_s = math.ceil((self.quota - left) / self.rate_per_s)
        return f"{self._name};r={int(left)};t={full_in_s}"


@lru_cache(maxsize=1024)  # Keys may have rates of their own; most have not.
def _per_second(name: str, quota: int) -> Policy:
    return Policy(name, quota, 1)


class Limits:
    """The limits of keys, payments and addresses. A limit of 0 is none (08 R19)."""

    def __init__(self, settings: Settings) -> None:
        self._writes = {"live": settings.writes_per_s_live, "test": settings.writes_per_s_test}
        self._reads = {"live": settings.reads_per_s_live, "test": settings.reads_per_s_test}
        self._payment = Policy("payment", settings.payment_writes_per_min, MINUTE_S)
        self._address = Policy("address", settings.wrong_keys_per_min, MINUTE_S)
        self._buckets = Buckets()

    def writes_per_s(self, key: ApiKey) -> int:
        """How many writes a second this key may make; 0 is any number."""
        return key.rate_per_s or self._writes[key.mode]

    def count(self, exchange: Exchange, key: ApiKey) -> None:
        """Count a request of a key, and tell its client what is left. Raises RateLimited."""
        if exchange.method in _READS:
            self._count_key(exchange, key, "reads", self._reads[key.mode])
            return
        self._count_key(exchange, key, "default", self.writes_per_s(key))
        if self._payment.quota and exchange.route.startswith(_PAYMENT_ROUTE):
            self._count_payment(exchange, key)

    def _count_key(self, exchange: Exchange, key: ApiKey, name: str, quota: int) -> None:
        if not quota:
            return
        policy = _per_second(name, quota)
        left = self._buckets.take((name, key.id), quota, quota)
        exchange.tell_limit(policy.told, policy.state(left))
        if left < 0:
            what = "reads" if name == "reads" else "writes"
            raise _beyond(f"The API key {key.id} may make {quota} {what} a second.", left, "key")

    def _count_payment(self, exchange: Exchange, key: ApiKey) -> None:
        """A payment is settled in order, so one of them must not keep its partition busy."""
        policy = self._payment
        whose = (key.merchant_id, key.mode, exchange.path("id")[:NAME_CHARACTERS_MAX])
        left = self._buckets.take(whose, policy.rate_per_s, policy.quota)
        exchange.tell_limit(policy.told, policy.state(left))
        if left < 0:
            raise _beyond(f"A payment takes {policy.quota} writes a minute.", left, "object")

    def count_wrong_key(self, exchange: Exchange) -> None:
        """Count a key that is not known. Raises RateLimited when too many came from there.

        Right keys are not counted and always taken: many clients may stand behind one address.
        """
        policy = self._address
        if not policy.quota:
            return
        left = self._buckets.take(network_of(exchange.client), policy.rate_per_s, policy.quota)
        if left < 0:
            exchange.tell_limit(policy.told, policy.state(left))
            what = f"More than {policy.quota} wrong API keys a minute came from this address."
            raise _beyond(what, left, "address")


def _beyond(what: str, left: float, reason: Reason) -> RateLimited:
    wait_s = math.ceil(-left)
    return RateLimited(
        f"{what} Nothing happened; try again in {wait_s} s.", retry_after_s=wait_s, reason=reason
    )
