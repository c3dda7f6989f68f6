"""Where the seed answers in a string of its own in place of its error object (08 R19)."""

from __future__ import annotations

from headgate.http.problems import Problem
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import InternalError

MISSING_FIELDS = "Missing required fields"
_FAULT = "Internal Server Error"
_FAULTS_TOLD = frozenset(
    {
        "/api/v1/payments",
        "/api/v1/webhooks",
        "/api/v1/webhooks/{id}/retry",
        "/api/v1/webhooks/settings",
        "/api/v1/test/jobs/status",
    }
)
"""Routes that told a fault of their own."""
_NOT_FOUND = {
    ("POST", "/api/v1/payments/{id}/capture"): "Payment not found",
    ("POST", "/api/v1/payments/{id}/refunds"): "Payment not found",
    ("GET", "/api/v1/refunds/{id}"): "Refund not found",
}


def seed_words(problem: Problem, method: str, route: str | None) -> str | None:
    """The string that the seed answers here; None where it answers its object, or had no route."""
    if isinstance(problem, InternalError) and route in _FAULTS_TOLD:
        return _FAULT
    if isinstance(problem, ResourceMissing):
        return _NOT_FOUND.get((method, route or ""))
    return None
