"""A merchant's own headers: what may ride along on a webhook (04 §10.8)."""

# ruff: noqa: SIM905 - a table of words reads best as text

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.custom_headers import why_not, why_not_these

ALLOWED = "Authorization X-Api-Key cookie X-Tenant traceparent x-webhook-token".split()
DENIED = """
Host HOST content-length Content-Type transfer-encoding TE Connection keep-alive Upgrade expect
Trailer proxy-authorization webhook-id Webhook-Signature webhook-anything X-Webhook-Signature
user-agent accept accept-encoding content-encoding sec-fetch-mode
""".split()


@pytest.mark.parametrize("name", ALLOWED)
def test_what_a_receiver_may_want_is_allowed(name: str) -> None:
    assert why_not(name, "Bearer a b\tc") is None


@pytest.mark.parametrize("name", DENIED)
def test_what_is_ours_or_the_connections_is_denied_in_any_case(name: str) -> None:
    reason = why_not(name, "x")
    assert reason is not None
    assert name in reason


@pytest.mark.parametrize("name", ["", " a", "a:", "a b", "ä", "a\r\nb", "a\0", ":path", "a" * 101])
def test_what_is_no_name_is_denied(name: str) -> None:
    assert why_not(name, "x")


@pytest.mark.parametrize(
    "value", ["", " x", "x ", "\tx", "a\r\nwebhook-id: b", "a\nb", "a\0", "é", "x" * 2001]
)
def test_what_is_no_value_is_denied_and_not_repeated(value: str) -> None:
    reason = why_not("X-Secret", value)
    assert reason is not None
    assert not value.strip() or value not in reason


@given(st.text(), st.text())
def test_what_is_allowed_is_one_line_of_ascii(name: str, value: str) -> None:
    if why_not(name, value) is None:
        line = f"{name}: {value}"
        assert line.isascii()
        assert not set("\r\n\0") & set(line)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({f"x-{n}": "y" for n in range(21)}, "20 are allowed"),
        ({"X-A": "1", "x-a": "2"}, "same name"),
        ({f"x-{n}": "y" * 1999 for n in range(5)}, "8000 are allowed"),
        ({"x-a": "1", "host": "2"}, "host is set by Headgate"),
    ],
)
def test_too_many_too_long_or_doubled_are_denied(headers: dict[str, str], words: str) -> None:
    assert words in (why_not_these(headers) or "")


def test_twenty_short_ones_are_allowed() -> None:
    assert why_not_these({f"x-{n}": "y" for n in range(20)}) is None
    assert why_not_these({}) is None
