"""Derived ids: the same question has the same id, for ever, even if every cache is lost (08 R8)."""

from __future__ import annotations

import hashlib
import os
import uuid
from functools import lru_cache

from aiokafka.partitioner import murmur2

from headgate.streams.clock import now_ms

_LONG = 26
"""130 bits, for ids that are ours alone."""


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_SHIFTS = [range(150, 150 - 10 * pairs, -10) for pairs in range(17)]


def _base32(raw: bytes, length: int) -> str:
    """The first letters of the RFC 4648 base32, lower case, of the first 20 bytes. The standard
    library's takes three times as long, and every fact has an id."""
    number = int.from_bytes(raw[:20], "big")
    pairs = _SHIFTS[(length + 1) // 2]
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in pairs])[:length]


def _derive(prefix: str, length: int, *parts: str) -> str:
    """`prefix` and the first `length` base32 letters of a hash in which no two lists of parts
    meet: every part is preceded by its length."""
    digest = hashlib.sha256(prefix.encode())
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return prefix + _base32(digest.digest(), length)


def payment_id(merchant_id: str, mode: str, key: str) -> str:
    """One merchant, mode and idempotency key have one payment. `pay_` + 15, the seed's form."""
    return _derive("pay_", 15, merchant_id, mode, key)


def command_id(payment: str, operation: str, key: str) -> str:
    """One operation on one payment under one key is one command."""
    return _derive("cmd_", _LONG, payment, operation, key)


CHILD_IDS: dict[str, tuple[str, int]] = {
    "capture": ("cap_", _LONG),
    "void": ("void_", _LONG),
    "refund": ("rfnd_", 16),
    "reversal": ("rev_", _LONG),
    "increment": ("inc_", _LONG),
}
"""Prefix and length by kind; a refund's have the seed's form."""


def child_id(kind: str, cause: str) -> str:
    """The capture, void, refund, reversal or increment that one command made."""
    prefix, length = CHILD_IDS[kind]
    return _derive(prefix, length, cause)


def key_id(merchant_id: str, mode: str, key: str) -> str:
    """One merchant, mode and idempotency key, whatever the route. `payment_id` in other letters,
    so that a key's claim and the payment that it may have created need no second hash."""
    return payment_id(merchant_id, mode, key)


def event_id(payment: str, sequence: int) -> str:
    """A fact is known by its payment and its place in it."""
    return _derive("evt_", _LONG, payment, str(sequence))


def operational_event_id(event_type: str, *cause: str) -> str:
    """What happened to an endpoint or a delivery is known by its type and what it came from."""
    return _derive("evt_", _LONG, event_type, *cause)


def attempt_id(command: str, number: int) -> str:
    """The idempotency key of one attempt at the acquirer."""
    return _derive("att_", _LONG, command, str(number))


def delivery_id(event: str, endpoint: str) -> str:
    """One event goes to one endpoint in one delivery (08 R27)."""
    return _derive("dlv_", _LONG, event, endpoint)


def replayed_delivery_id(event: str, endpoint: str, replay: str) -> str:
    """A replay alone makes another delivery of an event, and each replay one (08 R27)."""
    return _derive("dlv_", _LONG, event, endpoint, replay)


def replay_id(merchant_id: str, mode: str, key: str) -> str:
    """The replay that a request under this idempotency key makes: its repeat makes no other."""
    return _derive("rpl_", _LONG, merchant_id, mode, key)


def api_key_id(merchant_id: str, mode: str, key: str) -> str:
    """The API key that a request under this idempotency key makes: its repeat makes no other."""
    return _derive(f"key_{mode}_", 20, merchant_id, mode, key)


def checkout_session_id(merchant_id: str, mode: str, key: str) -> str:
    """The checkout session that a request under this idempotency key makes."""
    return _derive("cs_", _LONG, merchant_id, mode, key)


def checkout_key(session: str, number: int, what: str = "pay") -> str:
    """The idempotency key of what a customer does at one attempt: paying, or what follows."""
    return _derive("checkout_", _LONG, session, str(number), what)


def endpoint_id(merchant_id: str, mode: str, key: str) -> str:
    """The webhook endpoint that a request under this idempotency key makes."""
    return _derive("whe_", _LONG, merchant_id, mode, key)


def rotation_id(endpoint: str, key: str) -> str:
    """The rotation of an endpoint's secret that a request under this idempotency key makes."""
    return _derive("rot_", _LONG, endpoint, key)


def load_key(run: str, recorded: str) -> str:
    """The idempotency key under which a replay of topics sends anew what was recorded under this
    id: sent twice in one run, it counts once."""
    return _derive("replay_", _LONG, run, recorded)


def draw_key() -> str:
    """A time-ordered random key for a request that brought none."""
    return f"{now_ms():012x}{os.urandom(10).hex()}"


def draw_id(prefix: str) -> str:
    """A random id for what is configured, not derived: merchants, endpoints, requests."""
    return prefix + _base32(uuid.uuid4().bytes + bytes(4), _LONG)


@lru_cache(maxsize=16_384)
def partition_of(key: str, partitions: int) -> int:
    """Kafka's own partitioner (murmur2), so that every client agrees where a key lives. Remembered:
    every record of a webhook asks for its endpoint's."""
    return (int(murmur2(key.encode())) & 0x7FFFFFFF) % partitions
