"""What is kept of an attempt: enough to see what went wrong, and no secret."""

from __future__ import annotations

from headgate.agents.attempt_traces import HIDDEN, headers_of, request_of, traced
from headgate.agents.keyring import Keys, TimedSecret
from headgate.streams.outbound.outcome import Answer
from headgate.tables.deliveries import ANSWER_CHARACTERS_MAX


def test_the_signatures_are_kept_and_the_merchants_own_values_hidden() -> None:
    keys = Keys((TimedSecret("whsec_x"),), {"X-Tenant": "7", "Authorization": "Bearer s"}, None)
    sent = keys.headers | {"webhook-id": "evt_1", "webhook-signature": "v1,abc"}
    assert request_of(keys, sent) == {
        "X-Tenant": HIDDEN,
        "Authorization": HIDDEN,
        "webhook-id": "evt_1",
        "webhook-signature": "v1,abc",
    }


def test_an_answers_headers_are_kept_by_name_without_its_secrets() -> None:
    pairs = [
        (b"Server", b"shop"),
        (b"Set-Cookie", b"session=1"),
        (b"set-cookie", b"other=2"),
        (b"AUTHORIZATION", b"Bearer s"),
        (b"Vary", b"Origin"),
        (b"vary", b"Accept"),
    ]
    assert headers_of(pairs) == {
        "server": "shop",
        "set-cookie": HIDDEN,
        "authorization": HIDDEN,
        "vary": "Origin, Accept",
    }


def test_what_postgresql_would_refuse_is_replaced() -> None:
    assert headers_of([(b"x-\xff", b"a\0b\xfe")]) == {"x-\ufffd": "a\ufffdb\ufffd"}


def test_an_answer_leaves_its_times_and_its_beginning() -> None:
    answer = Answer(500, [(b"Server", b"shop")], b"\0" + b"x" * 20_000, True, 3.4, 9.6, 12.5)
    trace = traced(answer, 1000, {"webhook-id": "evt_1"})
    assert (trace.started_at_ms, trace.connect_ms, trace.first_byte_ms) == (1000, 3, 10)
    assert (trace.duration_ms, trace.answer_headers) == (12, {"server": "shop"})
    assert trace.request_headers == {"webhook-id": "evt_1"}
    assert trace.answer.startswith("\ufffdx")
    assert len(trace.answer) == ANSWER_CHARACTERS_MAX
