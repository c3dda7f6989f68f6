"""What happened here: another request on its way, a fault, a dependency away.

Problem
├── KeyInUse 409
├── InternalError 500
└── TryAgain 503               LogAway, StoreAway, DependencyAway, NotCaughtUp, Overloaded,
                               OutcomeUnknown
"""

from __future__ import annotations

from headgate.http.problems import Later, Problem


class KeyInUse(Later):
    """The first request with this Idempotency-Key has no answer yet."""

    status, code, title = 409, "idempotency_key_in_use", "Idempotency-Key in use"
    remedy = "Wait for the seconds in `Retry-After`, then send the same request with the same key."
    sample = "The first request with this Idempotency-Key has no answer yet; try again."


class InternalError(Problem):
    """A fault of Headgate. The log has it under the request id."""

    status, code, title = 500, "internal_error", "Internal error"
    seed_code = "INTERNAL_SERVER_ERROR"
    remedy = "Report the `request_id`. Repeat a write only with its Idempotency-Key."
    sample = "This is a fault of Headgate; its log has it under the request id."


class TryAgain(Later):
    """Something that Headgate needs is away; the same request may be sent again."""

    status = 503
    seed_code = "SERVICE_UNAVAILABLE_ERROR"


class LogAway(TryAgain):
    """Kafka is away and the outbox cannot take the command: nothing happened."""

    code, title = "log_unavailable", "The log is unavailable"
    remedy = "Send the same request again after the seconds in `Retry-After`."
    sample = "The log is away. Nothing was changed; try again."


class StoreAway(TryAgain):
    """PostgreSQL is away, and nothing else can answer."""

    code, title = "store_unavailable", "The store is unavailable"
    remedy = "Send the same request again after the seconds in `Retry-After`."
    sample = "The database is away, so the payment cannot be read. Try again."


class DependencyAway(TryAgain):
    """Something else that Headgate needs for this is away: nothing happened."""

    code, title = "unavailable", "Temporarily unavailable"
    remedy = "Send the same request again after the seconds in `Retry-After`."
    sample = "Something that Headgate needs is away. Nothing was changed; try again."


class NotCaughtUp(TryAgain):
    """The settle worker is behind, so it cannot be told yet whether this exists."""

    code, title = "not_caught_up", "Not caught up"
    remedy = "Send the same request again after the seconds in `Retry-After`."
    sample = "The settle worker is behind, so it cannot be told yet whether this payment exists."


class Overloaded(TryAgain):
    """More requests are in flight than this process takes: nothing happened."""

    code, title = "overloaded", "Overloaded"
    remedy = "Send the same request again after the seconds in `Retry-After`, more slowly."
    sample = "1000 requests are in flight. Nothing happened; try again."


class OutcomeUnknown(TryAgain):
    """The command may or may not be on the log: repeating it with the same key is safe."""

    code, title = "outcome_unknown", "Outcome unknown"
    remedy = "Repeat the request with the `Idempotency-Key` of this answer; nothing moves twice."
    sample = "There was no answer in time: the payment may or may not have been taken."
