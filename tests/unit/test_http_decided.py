"""Answers of decisions: the same bytes from the reply as from the store, refusals included."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pytest

from headgate.http.decided import STATUS_OF, Decided, of_reply
from headgate.streams.commands import ClientCommand
from headgate.tables.replies import Reply, decoded, encoded

REPLY = Reply(
    command_id="cmd_1",
    merchant_id="mer_1",
    mode="test",
    type="payment.refund",
    payment_id="pay_1",
    fingerprint="f",
    request_id="req_1",
    refusal=None,
    partition=3,
    offset=18422,
    result=b'{"id":"rfnd_1"}\n{"odd":"bytes"}',
)


def test_a_reply_survives_redis_with_its_bytes() -> None:
    assert decoded(encoded(REPLY)) == REPLY


def test_what_was_decided_is_answered_as_it_is() -> None:
    told = of_reply(REPLY, "payments.commands")
    assert told.position == "payments.commands/3@18422"
    answer = told.answer()
    assert answer is not None
    assert (answer.status, answer.body, answer.request_id) == (201, REPLY.result, "req_1")


def test_a_refusal_is_a_problem_of_the_request_that_it_answered_first() -> None:
    why = {"code": "refund_exceeds_refundable", "detail": "7 asked, 5 left.", "param": "amount"}
    result = orjson.dumps({**why, "request_id": "req_1"})
    answer = of_reply(replace(REPLY, refusal=why["code"], result=result), "t").answer()
    assert answer is not None
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"], problem["param"]) == (400, why["code"], "amount")
    assert (problem["request_id"], answer.request_id) == ("req_1", "req_1")
    assert problem["error"]["description"] == "Refund amount exceeds available amount"


def test_what_no_client_asked_has_no_answer() -> None:
    assert (
        Decided("cmd", "mer", "test", "acquirer.answer", "pay", None, None, "t/0@0").answer()
        is None
    )


def test_every_command_of_a_client_has_a_status() -> None:
    kinds = {model.model_fields["type"].default for model in ClientCommand.__subclasses__()}
    assert kinds == set(STATUS_OF)


@pytest.mark.parametrize("name", ["payment.refund", "payment.create"])
def test_what_is_made_is_201(name: str) -> None:
    assert STATUS_OF[name] == 201
