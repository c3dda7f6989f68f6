"""Derived ids are for ever: vectors are frozen, parts cannot run together, Kafka agrees (08 R8)."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams import ids

FROZEN = {
    ids.payment_id("mer_1", "test", "key-1"): "pay_dhopu6pynast2n5",
    ids.payment_id("mer_1", "live", "key-1"): "pay_xsckiiwkbesdiex",
    ids.payment_id("", "", ""): "pay_2l7n6h3twyxqqto",
    ids.payment_id("mer_1", "test", "Schlüssel ✓"): "pay_essvgcfqguhi6dw",
    ids.command_id("pay_abc", "payment.create", "key-1"): "cmd_bmqftonimtijbj2a72agacsnia",
    ids.event_id("pay_abc", 1): "evt_wkeo6ddbaxx7tkkchxhjvgshy3",
    ids.event_id("pay_abc", 12): "evt_fbrkwrogsf5qigks5lxjmov3cw",
    ids.attempt_id("cmd_abc", 1): "att_vb26kjlyyrv3z32ymek4fjxdqf",
    ids.delivery_id("evt_abc", "ep_abc"): "dlv_r4owmyj766vvhit43dkjml5dhr",
    ids.api_key_id("mer_1", "test", "key-1"): "key_test_kdltnbbsd2bnl3beydz4",
}
"""A change here doubles payments: every client that repeats an old key would get a new id."""

MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
"""The vectors of Kafka's own test, UtilsTest.testMurmur2."""

texts = st.text(max_size=20)


@pytest.mark.parametrize(("derived", "frozen"), FROZEN.items())
def test_ids_are_what_they_have_always_been(derived: str, frozen: str) -> None:
    assert derived == frozen


@given(merchant=texts, mode=texts, key=texts)
def test_an_id_is_sha256_over_tag_and_length_prefixed_parts_in_base32(
    merchant: str, mode: str, key: str
) -> None:
    hashed = b"pay_" + b"".join(
        len(raw).to_bytes(4, "big") + raw for raw in (p.encode() for p in (merchant, mode, key))
    )
    letters = base64.b32encode(hashlib.sha256(hashed).digest()).decode().lower()
    assert ids.payment_id(merchant, mode, key) == "pay_" + letters[:15]


@given(one=st.tuples(texts, texts, texts), other=st.tuples(texts, texts, texts))
def test_different_parts_never_run_together(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (ids.command_id(*one) == ids.command_id(*other)) == (one == other)


def test_moving_a_letter_between_parts_gives_another_id() -> None:
    assert ids.payment_id("ab", "c", "d") != ids.payment_id("a", "bc", "d")
    assert ids.payment_id("", "ab", "") != ids.payment_id("ab", "", "")


def test_kinds_of_ids_do_not_meet() -> None:
    assert ids.attempt_id("x", 1)[4:] != ids.event_id("x", 1)[4:]
    assert ids.delivery_id("x", "1")[4:] != ids.event_id("x", 1)[4:]


def test_prefixes_and_lengths_are_the_seeds() -> None:
    assert re.fullmatch(r"pay_[a-z2-7]{15}", ids.payment_id("m", "test", "k"))
    assert re.fullmatch(r"cmd_[a-z2-7]{26}", ids.command_id("p", "o", "k"))


@pytest.mark.parametrize(("key", "hashed"), MURMUR2.items())
def test_the_partition_is_the_one_that_kafkas_own_clients_choose(key: str, hashed: int) -> None:
    for partitions in (1, 8, 1024):
        assert ids.partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions


@given(key=st.text(max_size=40), partitions=st.integers(1, 2000))
def test_a_partition_is_always_one_that_exists(key: str, partitions: int) -> None:
    assert 0 <= ids.partition_of(key, partitions) < partitions


def test_drawn_keys_are_unique_and_ordered_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "now_ms", iter(range(10**12, 10**12 + 100)).__next__)
    keys = [ids.draw_key() for _ in range(100)]
    assert keys == sorted(set(keys))
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)


def test_drawn_ids_are_unique_and_have_128_bits_of_chance() -> None:
    drawn = {ids.draw_id("mer_") for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(re.fullmatch(r"mer_[a-z2-7]{26}", one) for one in drawn)
    assert len({one[4:8] for one in drawn}) > 900
