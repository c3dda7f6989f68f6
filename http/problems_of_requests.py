"""What is wrong with a request itself: HTTP, JSON, members, paths, keys.

Problem
├── BadRequest 400             HttpMalformed, JsonMalformed, ParameterMissing, ParameterInvalid,
│                              ParameterUnknown, AmountTooLarge, CurrencyUnsupported,
│                              CardNumberInvalid, CardExpired, VpaInvalid, IdempotencyKeyMissing
├── ResourceMissing 404        also for what belongs to another merchant
├── MethodNotAllowed 405
├── RequestTimeout 408
├── PayloadTooLarge 413
├── UnsupportedMediaType 415
├── KeyReused 422
├── UrlForbidden 422
└── HeadersTooLarge 431
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from headgate.http.problems import Problem
from headgate.streams.cards import quoted


class BadRequest(Problem):
    """The request says something that Headgate does not take."""

    status = 400


class HttpMalformed(BadRequest):
    """What arrived is not an HTTP request."""

    code, title, closes = "http_malformed", "Malformed HTTP request", True
    remedy = "Look for a client or proxy that speaks another protocol, such as TLS, to this port."
    sample = "What arrived is not an HTTP/1.1 request."


class JsonMalformed(BadRequest):
    """The body is not one JSON object in UTF-8, or has a name twice in one object."""

    code, title = "json_malformed", "Malformed JSON"
    remedy = "Send one JSON object; `detail` says where reading it ended."
    sample = "The body is not JSON: Expecting value at line 1, column 12."


class ParameterMissing(BadRequest):
    """A required member is not there, or is null."""

    code, title = "parameter_missing", "Missing parameter"
    remedy = "Send the member that `param` names; `errors` lists every one that is missing."
    sample, sample_param = "amount is missing.", "amount"


class ParameterInvalid(BadRequest):
    """A member, header or query parameter has a value that is not taken."""

    code, title = "parameter_invalid", "Invalid parameter"
    remedy = "Correct what `param` names; `errors` says for each member what it must be."
    sample, sample_param = "amount is '100'; it must be a valid integer.", "amount"


class ParameterUnknown(BadRequest):
    """The body has a member that Headgate does not know, and the API key asks for strictness."""

    code, title = "parameter_unknown", "Unknown parameter"
    remedy = "Leave the member out, or use a key without `strict_parameters`, which ignores it."
    sample, sample_param = "amuont is not known here.", "amuont"


class AmountTooLarge(BadRequest):
    """The amount is above the most that one payment may move."""

    code, title = "amount_too_large", "Amount too large"
    remedy = "Send the amount in minor units; one payment moves at most 1,000,000,000,000 of them."
    sample = "amount is 1000000000001; it must be less than or equal to 1000000000000."
    sample_param = "amount"


class CurrencyUnsupported(BadRequest):
    """The currency is not one of the supported ISO 4217 codes, in upper case."""

    code, title = "currency_unsupported", "Unsupported currency"
    remedy = "Use an ISO 4217 code in upper case, such as INR; nothing is guessed."
    sample = "currency: 'inr' is not supported; use an ISO 4217 code in upper case such as INR."
    sample_param = "currency"


class CardNumberInvalid(BadRequest):
    """The card number has the wrong length or check digit."""

    code, title, seed_code = "card_number_invalid", "Invalid card number", "INVALID_CARD"
    remedy = "Ask the customer to type the number again."
    sample = "card.number: the card number has a wrong length or check digit."
    sample_param = "card.number"


class CardExpired(BadRequest):
    """The card's expiry date has passed."""

    code, title, seed_code = "card_expired", "Expired card", "EXPIRED_CARD"
    remedy = "Ask the customer for another card, or for the new date of this one."
    sample, sample_param = "The card's expiry date has passed.", "card.expiry_year"


class VpaInvalid(BadRequest):
    """The UPI address is not of the form name@handle."""

    code, title, seed_code = "vpa_invalid", "Invalid UPI address", "INVALID_VPA"
    remedy = "Ask the customer to type the address again."
    sample, sample_param = "vpa: a UPI address has the form name@handle.", "vpa"


class IdempotencyKeyMissing(BadRequest):
    """This merchant asked that writes without an Idempotency-Key be refused."""

    code, title = "idempotency_key_missing", "Missing Idempotency-Key"
    remedy = "Send an `Idempotency-Key` that names this one attempt, and repeat it on retries."
    sample = "This merchant asked that creates without an Idempotency-Key be refused."
    sample_param = "Idempotency-Key"


class ResourceMissing(Problem):
    """There is no such thing, or it is another merchant's or of the other mode."""

    status, code, title = 404, "resource_missing", "Not found"
    seed_code = "NOT_FOUND_ERROR"
    remedy = "Check the id, and that the API key is of the merchant and mode that it belongs to."
    sample = "There is no payment 'pay_aaaaaaaaaaaaaaa'."


class MethodNotAllowed(Problem):
    """The path exists, but not with this method; `Allow` says which there are."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"
    remedy = "Use one of the methods in the `Allow` header."

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        names = ", ".join(allowed)
        super().__init__(
            f"{quoted(method)} is not possible here; use {names}.", headers={"Allow": names}
        )

    @classmethod
    def example(cls) -> Self:
        """DELETE on a path that can be read only."""
        return cls("DELETE", ["GET", "HEAD"])


class RequestTimeout(Problem):
    """The request did not arrive in time. Nothing happened."""

    status, code, title, retryable, closes = 408, "request_timeout", "Request timeout", True, True
    remedy = "Send the request again on a new connection."
    sample = "The body did not arrive within 10 s. Nothing happened."


class PayloadTooLarge(Problem):
    """The body is longer than the limit."""

    status, code, title, closes = 413, "payload_too_large", "Payload too large", True
    remedy = "Send less; what belongs to an order but not to a payment stays with the order."
    sample = "The body is longer than 65536 bytes."


class UnsupportedMediaType(Problem):
    """The body is compressed, or not declared as `application/json`."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"
    remedy = "Send `Content-Type: application/json` and an uncompressed body."
    sample = "Content-Type is missing; send application/json."


class KeyReused(Problem):
    """The Idempotency-Key stands for a request with another body or on another route."""

    status, code, title = 422, "idempotency_key_reused", "Idempotency-Key reused"
    remedy = "Use a new key for a new request; to repeat the first one, send its body unchanged."
    sample = "This Idempotency-Key was used for a request with another body."
    sample_param = "Idempotency-Key"


class UrlForbidden(Problem):
    """Webhooks must not be sent to this URL: not http(s), not public, or an odd port."""

    status, code, title = 422, "webhook_url_forbidden", "Webhook URL forbidden"
    remedy = "Use an https URL on port 443 whose name leads to public addresses only."
    sample, sample_param = "169.254.169.254 is not a public address.", "webhookUrl"


class HeadersTooLarge(Problem):
    """The request's headers are too long or too many."""

    status, code, title, closes = 431, "headers_too_large", "Request headers too large", True
    remedy = "Send fewer or shorter headers; look for cookies that do not belong here."
    sample = "The headers are longer than 16384 bytes."
