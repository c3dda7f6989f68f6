"""What holds for every answer of the bad-input catalogue (07 §8), whatever was sent."""

from __future__ import annotations

from typing import Any

import httpx

from tests.contract.documented import check_documented

JSON = {"Content-Type": "application/json"}
PROBLEM_BYTES_MAX = 2048
PAN = "4111111111111111"
"""A card number that the tests put where none belongs."""


def check(answer: httpx.Response, status: int, code: str | None) -> Any:
    """The status and code, JSON, its size, a request id, no trace; the body, parsed."""
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.status_code == status, answer.text
    assert PAN not in answer.text
    check_documented(answer)
    if code is None:
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.content) <= PROBLEM_BYTES_MAX
    problem = answer.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["detail"]
    assert problem["error"]
    assert answer.headers["Should-Retry"] == str(problem["retryable"]).lower()
    assert "Traceback" not in answer.text
    if status == httpx.codes.METHOD_NOT_ALLOWED:
        assert answer.headers["Allow"]
    return problem
