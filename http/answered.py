"""What the client of a command gets: its answer, or where to ask for it, and the headers."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from headgate.http.exchange import Preference
from headgate.http.handoff import Outcome, Undecided
from headgate.http.pending import ASK_AGAIN, pending
from headgate.http.problems import MEDIA_TYPE
from headgate.http.routing import json_answer
from headgate.http.submission import Submission


def how(outcome: Outcome) -> str:
    """In one word, for the metrics."""
    if isinstance(outcome, Undecided):
        return "undecided"
    if outcome.replayed:
        return "replayed"
    return "log" if outcome.position else "outbox"


def response(
    submission: Submission,
    outcome: Outcome,
    preference: Preference,
    more: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a command; `more` are headers of its route."""
    headers = {"Idempotency-Key": submission.key.text, **(more or {})}
    if outcome.position is not None:
        headers["Log-Position"] = outcome.position
    if preference.wait_s is not None:
        headers["Preference-Applied"] = f"wait={preference.wait_s}"
    if isinstance(outcome, Undecided):
        return _undecided(submission, headers, preference)
    answer = outcome.answer
    if outcome.replayed:
        headers["Idempotent-Replayed"] = "true"
        if answer.request_id:
            headers["Original-Request-Id"] = answer.request_id
    if answer.status < 400:  # noqa: PLR2004
        return json_answer(answer.body, answer.status, headers)
    headers["Should-Retry"] = "false"  # It is decided: asking again gives the same.
    return Response(answer.body, answer.status, headers, MEDIA_TYPE)


def _undecided(submission: Submission, headers: dict[str, str], preference: Preference) -> Response:
    headers["Location"] = f"/api/v1/operations/{submission.command_id}"
    headers |= ASK_AGAIN
    if preference.respond_async:
        headers["Preference-Applied"] = "respond-async"
    return json_answer(orjson.dumps(pending(submission)), 202, headers)
