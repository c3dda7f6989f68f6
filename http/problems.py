"""What can be wrong with a request, as RFC 9457 problems with the seed's `error` member.

Problem
├── BadRequest 400          JsonMalformed, ParameterMissing, ParameterInvalid, AmountTooLarge,
│                           CurrencyUnsupported, CardNumberInvalid, CardExpired, VpaInvalid,
│                           IdempotencyKeyMissing
├── Unauthorized 401        ApiKeyMissing, ApiKeyInvalid, ApiKeyRevoked
├── ResourceMissing 404     also for what belongs to another merchant
├── MethodNotAllowed 405, RequestTimeout 408, PayloadTooLarge 413, UnsupportedMediaType 415,
│   HeadersTooLarge 431
├── KeyInUse 409, KeyReused 422, UrlForbidden 422
├── InternalError 500
└── TryAgain 503            LogAway, StoreAway, NotCaughtUp, Overloaded, OutcomeUnknown
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, TypeAlias

import orjson
from starlette.responses import Response

from headgate.streams.errors import HeadgateError

Json: TypeAlias = str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None

MEDIA_TYPE = "application/problem+json"
DETAIL_CHARACTERS_MAX = 400
ERRORS_MAX = 8
"""Most entries of `errors`; with the detail's limit a problem stays below 2 kB."""

SEED_MISSING = "Missing required fields"
SEED_INTERNAL = "Internal Server Error"


class Flaw(NamedTuple):
    """One thing that is wrong with the request: where, and which of the codes of 01 §7.5."""

    pointer: str
    code: str
    detail: str


class Problem(HeadgateError):
    """An answer that is an error. Each subclass knows its status, code and title."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    seed_code: ClassVar[str] = "BAD_REQUEST_ERROR"
    retryable: ClassVar[bool] = False
    closes: ClassVar[bool] = False
    """Whether the connection is closed after the answer."""

    def __init__(
        self,
        detail: str,
        *,
        param: str | None = None,
        flaws: Sequence[Flaw] = (),
        seed_error: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`seed_error` is the string that the seed answers on this route, where it has one."""
        super().__init__(detail)
        self.detail = detail[:DETAIL_CHARACTERS_MAX]
        self.param = param
        self.flaws = flaws
        self.seed_error = seed_error
        self.headers = dict(headers or {})

    def document(self, request_id: str) -> dict[str, Json]:
        """The problem as JSON."""
        return {
            "type": f"/errors/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"/requests/{request_id}",
            "code": self.code,
            "param": self.param,
            "errors": [flaw._asdict() for flaw in self.flaws[:ERRORS_MAX]],
            "decline_code": None,
            "advice_code": None,
            "retryable": self.retryable,
            "request_id": request_id,
            "error": self.seed_error or {"code": self.seed_code, "description": self.detail},
        }

    def response(self, request_id: str) -> Response:
        """The problem as an answer. `Should-Retry` tells clients that look at headers only."""
        headers = {"Should-Retry": "true" if self.retryable else "false", **self.headers}
        if self.closes:
            headers["Connection"] = "close"
        body = orjson.dumps(self.document(request_id))
        return Response(body, self.status, headers, MEDIA_TYPE)


class BadRequest(Problem):
    """The request says something that Headgate does not take."""

    status, code, title = 400, "parameter_invalid", "Invalid request"


class JsonMalformed(BadRequest):
    """The body is not one JSON object."""

    code, title = "json_malformed", "Malformed JSON"


class ParameterMissing(BadRequest):
    """A required member is not there."""

    code, title = "parameter_missing", "Missing parameter"


class ParameterInvalid(BadRequest):
    """A member, header or query parameter has a value that is not taken."""

    code, title = "parameter_invalid", "Invalid parameter"


class AmountTooLarge(BadRequest):
    """The amount is above the most that one payment may move."""

    code, title = "amount_too_large", "Amount too large"


class CurrencyUnsupported(BadRequest):
    """The currency is not one of the supported ISO 4217 codes, in upper case."""

    code, title = "currency_unsupported", "Unsupported currency"


class CardNumberInvalid(BadRequest):
    """The card number has the wrong length or check digit."""

    code, title, seed_code = "card_number_invalid", "Invalid card number", "INVALID_CARD"


class CardExpired(BadRequest):
    """The card's expiry date has passed."""

    code, title, seed_code = "card_expired", "Expired card", "EXPIRED_CARD"


class VpaInvalid(BadRequest):
    """The UPI address is not of the form name@handle."""

    code, title, seed_code = "vpa_invalid", "Invalid UPI address", "INVALID_VPA"


class IdempotencyKeyMissing(BadRequest):
    """This merchant asked that writes without an Idempotency-Key be refused."""

    code, title = "idempotency_key_missing", "Missing Idempotency-Key"


class Unauthorized(Problem):
    """Nobody is known by these credentials."""

    status, code, title = 401, "api_key_invalid", "Invalid API key"
    seed_code = "AUTHENTICATION_ERROR"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="headgate"'})


class ApiKeyMissing(Unauthorized):
    """The request brings no API key, or half of one."""

    code, title = "api_key_missing", "Missing API key"


class ApiKeyInvalid(Unauthorized):
    """The key or its secret is wrong; which of the two is not told."""


class ApiKeyRevoked(Unauthorized):
    """The key was revoked."""

    code, title = "api_key_revoked", "Revoked API key"


class ResourceMissing(Problem):
    """There is no such thing, or it is another merchant's."""

    status, code, title = 404, "resource_missing", "Not found"
    seed_code = "NOT_FOUND_ERROR"


class MethodNotAllowed(Problem):
    """The path exists, but not with this method; `Allow` says which there are."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        names = ", ".join(allowed)
        super().__init__(
            f"{method[:20]} is not possible here; use {names}.", headers={"Allow": names}
        )


class RequestTimeout(Problem):
    """The request did not arrive in time."""

    status, code, title, retryable, closes = 408, "request_timeout", "Request timeout", True, True


class PayloadTooLarge(Problem):
    """The body is longer than the limit."""

    status, code, title, closes = 413, "payload_too_large", "Payload too large", True


class UnsupportedMediaType(Problem):
    """The body is not plain `application/json`."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class HeadersTooLarge(Problem):
    """The request's headers are too long or too many."""

    status, code, title, closes = 431, "headers_too_large", "Request headers too large", True


class HttpMalformed(BadRequest):
    """What arrived is not an HTTP request."""

    code, title, closes = "http_malformed", "Malformed HTTP request", True


class KeyInUse(Problem):
    """The first request with this key has no answer yet."""

    status, code, title, retryable = 409, "idempotency_key_in_use", "Idempotency-Key in use", True


class KeyReused(Problem):
    """The key stands for another request."""

    status, code, title = 422, "idempotency_key_reused", "Idempotency-Key reused"


class UrlForbidden(Problem):
    """Webhooks must not be sent to this URL."""

    status, code, title = 422, "webhook_url_forbidden", "Webhook URL forbidden"


class InternalError(Problem):
    """A fault of Headgate. The log has it under the request id."""

    seed_code = "INTERNAL_SERVER_ERROR"


class TryAgain(Problem):
    """Something that Headgate needs is away; the same request may be sent again."""

    status, code, title, retryable = 503, "unavailable", "Temporarily unavailable", True
    seed_code = "SERVICE_UNAVAILABLE_ERROR"

    def __init__(
        self, detail: str, *, retry_after_s: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s), **(headers or {})})


class LogAway(TryAgain):
    """Kafka is away and the outbox cannot take the command: nothing happened."""

    code, title = "log_unavailable", "The log is unavailable"


class StoreAway(TryAgain):
    """PostgreSQL is away, and nothing else can answer."""

    code, title = "store_unavailable", "The store is unavailable"


class NotCaughtUp(TryAgain):
    """The settle worker is behind, so it cannot be told yet whether this exists."""

    code, title = "not_caught_up", "Not caught up"


class Overloaded(TryAgain):
    """More requests are in flight than this process takes."""

    code, title = "overloaded", "Overloaded"


class OutcomeUnknown(TryAgain):
    """The command may or may not be on the log: repeating it with the same key is safe."""

    code, title = "outcome_unknown", "Outcome unknown"
