"""Errors: one class for each code, which says all there is to say about it (01 §7.5)."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from headgate.http.answers import ProblemAnswer
from headgate.http.openapi import OPERATIONS
from headgate.http.problem_kinds import KINDS
from headgate.http.problems import Problem
from headgate.http.problems_of_access import RateLimited
from headgate.http.problems_of_payments import PaymentDeclined, refusal_problem
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import InternalError, TryAgain
from headgate.http.seed_words import seed_words

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)


@each_kind
def test_every_error_says_what_it_means_and_what_to_do(kind: type[Problem]) -> None:
    assert 400 <= kind.status <= 503
    assert kind.code.islower()
    assert kind.title[0].isupper()
    assert (kind.__doc__ or "").endswith(".")
    assert kind.remedy.endswith(".")


def test_two_errors_cannot_have_one_code() -> None:
    with pytest.raises(TypeError, match="ResourceMissing"):
        type("Twin", (Problem,), {"code": ResourceMissing.code})


@each_kind
def test_the_header_says_what_the_body_says_about_trying_again(kind: type[Problem]) -> None:
    problem = kind.example()
    response = problem.response("req_1")
    assert response.headers["Should-Retry"] == str(problem.retryable).lower()
    assert problem.document("req_1")["retryable"] is kind.retryable
    if issubclass(kind, TryAgain | RateLimited):
        assert int(response.headers["Retry-After"]) > 0


@each_kind
def test_no_problem_is_longer_than_2_kb(kind: type[Problem]) -> None:
    problem = kind.example()
    problem.detail = ResourceMissing("word " * 1000).detail
    assert len(problem.response("req_" + "a" * 26).body) <= 2048


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (
            "payment_not_capturable",
            400,
            {"code": "BAD_REQUEST_ERROR", "description": "Payment not in capturable state"},
        ),
        (
            "refund_exceeds_refundable",
            400,
            {"code": "BAD_REQUEST_ERROR", "description": "Refund amount exceeds available amount"},
        ),
        ("too_many_children", 400, {"code": "BAD_REQUEST_ERROR", "description": "It is so."}),
    ],
)
def test_08_r19_a_refusal_has_the_seeds_words_where_it_had_any(
    code: str, status: int, error: dict[str, str]
) -> None:
    problem = refusal_problem(code, "It is so.", "amount")
    document = problem.document("req_1")
    assert (document["code"], document["status"]) == (code, status)
    assert (document["detail"], document["param"]) == ("It is so.", "amount")
    assert document["error"] == error


@pytest.mark.parametrize(
    ("refusal", "code", "status"),
    [
        ("payment_unknown", "resource_missing", 404),
        ("resource_missing", "resource_missing", 404),
        ("payment_exists", "idempotency_key_reused", 422),
        ("amount_too_large", "amount_too_large", 400),
    ],
)
def test_what_the_edge_also_finds_by_itself_has_one_code(
    refusal: str, code: str, status: int
) -> None:
    document = refusal_problem(refusal, "It is so.", "amount").document("req_1")
    assert (document["code"], document["status"]) == (code, status)


def test_08_r19_an_unknown_payment_is_a_string_on_the_seeds_routes() -> None:
    problem = refusal_problem("resource_missing", "No such.", seed_error="Payment not found")
    assert problem.status == 404
    assert problem.document("req_1")["error"] == "Payment not found"


@pytest.mark.parametrize("code", ["from_a_newer_worker", "internal_error", "payment_declined"])
def test_a_refusal_that_this_edge_does_not_know_is_still_a_refusal(code: str) -> None:
    document = refusal_problem(code, "It is so.").document("req_1")
    assert (document["code"], document["status"]) == ("command_refused", 400)
    assert document["detail"] == f"It is so. ({code})"


def test_a_decline_says_why_and_whether_to_try_again() -> None:
    document = PaymentDeclined.example().document("req_1")
    assert (document["status"], document["payment_id"]) == (402, "pay_aaaaaaaaaaaaaaa")
    assert document["decline_code"] == "insufficient_funds"
    assert document["advice_code"] == "try_again_later"
    assert document["error"] == {
        "code": "PAYMENT_FAILED",
        "description": "Bank rejected transaction",
    }


@each_kind
def test_the_schema_of_an_error_is_kept_by_its_document_and_by_no_other(
    kind: type[Problem],
) -> None:
    Draft202012Validator.check_schema(kind.schema())
    whole = {**ProblemAnswer.model_json_schema(), "allOf": [kind.schema()]}
    check = Draft202012Validator(whole)
    check.validate(kind.example().document("req_1"))
    for other in KINDS:
        assert check.is_valid(other.example().document("req_1")) is (other is kind)


@each_kind
def test_every_error_is_answered_by_some_route(kind: type[Problem]) -> None:
    """An error that no operation answers with must not exist."""
    assert any(kind in operation.kinds() for operation in OPERATIONS)


def test_what_a_bank_says_beyond_our_codes_still_keeps_the_schema() -> None:
    problem = PaymentDeclined(
        "No.", payment_id="pay_a", decline_code="R01", advice_code="whatever"
    ).document("req_1")
    assert (problem["decline_code"], problem["advice_code"]) == (
        "do_not_honor",
        "do_not_try_again",
    )
    Draft202012Validator(PaymentDeclined.schema()).validate(problem)


@pytest.mark.parametrize(
    ("problem", "method", "route", "words"),
    [
        (InternalError, "POST", "/api/v1/payments", "Internal Server Error"),
        (InternalError, "GET", "/api/v1/webhooks", "Internal Server Error"),
        (InternalError, "GET", "/api/v1/events", None),
        (ResourceMissing, "POST", "/api/v1/payments/{id}/capture", "Payment not found"),
        (ResourceMissing, "POST", "/api/v1/payments/{id}/refunds", "Payment not found"),
        (ResourceMissing, "GET", "/api/v1/payments/{id}/refunds", None),
        (ResourceMissing, "POST", "/api/v1/payments/{id}/cancel", None),
        (ResourceMissing, "GET", "/api/v1/refunds/{id}", "Refund not found"),
        (ResourceMissing, "GET", None, None),
    ],
)
def test_08_r19_only_the_seeds_routes_answer_in_its_strings(
    problem: type[Problem], method: str, route: str | None, words: str | None
) -> None:
    assert seed_words(problem.example(), method, route) == words
