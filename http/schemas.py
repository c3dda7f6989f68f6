"""What requests may say: strict, bounded, and without a card number once it was read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from headgate.streams import cards
from headgate.streams.commands import CaptureMethod, LateAuthorization, Method
from headgate.streams.money import MINOR_DIGITS, Amount

ORDER_ID_CHARACTERS_MAX = 64
DESCRIPTION_CHARACTERS_MAX = 1000
METADATA_KEYS_MAX = 50
METADATA_KEY_CHARACTERS_MAX = 64
SECRET_CHARACTERS_MAX = 256
CUSTOMER_ID_CHARACTERS_MAX = 64
DESCRIPTOR_CHARACTERS_MAX = 22
"""What fits on a card statement."""
URL_CHARACTERS_MAX = 2048
YEAR_BEGIN, YEAR_END = 1970, 2100

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and half a surrogate pair, which neither UTF-8 nor PostgreSQL can hold."""
_UNPRINTABLE_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""The same, but for tabs and line ends."""
_VPA = re.compile(r"[^@\s]{1,255}@[^@\s]{1,64}")
_TWO_DIGIT_YEARS_END = 100


def _without_card_number(text: str) -> str:
    if cards.find_number(text) is not None:
        raise PydanticCustomError(
            "card_number_misplaced",
            "it must not hold a card number, which may only stand in card.number",
        )
    return text


def one_line(text: str) -> str:
    """Text without line ends, other control characters, and card numbers."""
    if _UNPRINTABLE.search(text):
        raise PydanticCustomError("unprintable", "it must not hold control characters")
    return _without_card_number(text)


def some_text(text: str) -> str:
    """Text without control characters but tabs and line ends, and without card numbers."""
    if _UNPRINTABLE_IN_TEXT.search(text):
        raise PydanticCustomError("unprintable", "it must not hold control characters")
    return _without_card_number(text)


def _currency(code: str) -> str:
    if code not in MINOR_DIGITS:
        shown = ascii(code[:8])
        raise PydanticCustomError(
            "currency_unsupported",
            "{shown} is not supported; use an ISO 4217 code in upper case such as INR",
            {"shown": shown},
        )
    return code


def _vpa(text: str) -> str:
    if not _VPA.fullmatch(text) or _UNPRINTABLE.search(text):
        raise PydanticCustomError("vpa_invalid", "a UPI address has the form name@handle")
    return _without_card_number(text)


def _card_number(text: str) -> str:
    digits = text.replace(" ", "").replace("-", "")
    right_length = cards.SHORTEST <= len(digits) <= cards.LONGEST
    if not (digits.isascii() and digits.isdigit() and right_length and cards.luhn(digits)):
        raise PydanticCustomError(
            "card_number_invalid", "the card number has a wrong length or check digit"
        )
    return digits


def _from_digits(value: object) -> object:
    """Forms send months and years as text; nothing else is converted."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:  # noqa: PLR2004
        return int(value)
    return value


def _full_year(year: int) -> int:
    return year + 2000 if year < _TWO_DIGIT_YEARS_END else year


def _milliseconds(value: object) -> object:
    """A time with a zone, in milliseconds since 1970."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not YEAR_BEGIN < at.year < YEAR_END:
        raise PydanticCustomError(
            "time_invalid", "it must be a time with a zone such as 2026-11-26T09:30:00Z"
        )
    return round(at.timestamp() * 1000)


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("https", "http") and parts.hostname and not parts.username
    except ValueError:
        whole = False
    if not whole or " " in text:
        raise PydanticCustomError("url_invalid", "it must be a whole URL that begins with https://")
    return one_line(text)


OrderId = Annotated[
    str, Field(min_length=1, max_length=ORDER_ID_CHARACTERS_MAX), AfterValidator(one_line)
]
Currency = Annotated[
    str, AfterValidator(_currency), Field(json_schema_extra={"enum": sorted(MINOR_DIGITS)})
]
Vpa = Annotated[str, AfterValidator(_vpa)]
Description = Annotated[
    str, Field(max_length=DESCRIPTION_CHARACTERS_MAX), AfterValidator(some_text)
]
MetadataKey = Annotated[
    str, Field(min_length=1, max_length=METADATA_KEY_CHARACTERS_MAX), AfterValidator(one_line)
]
MetadataValue = Annotated[str, AfterValidator(some_text)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=METADATA_KEYS_MAX)]
Time = Annotated[
    int, BeforeValidator(_milliseconds), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""Milliseconds since 1970, sent as ISO 8601."""
WebAddress = Annotated[str, Field(max_length=URL_CHARACTERS_MAX), AfterValidator(_web_address)]
CustomerId = Annotated[
    str, Field(min_length=1, max_length=CUSTOMER_ID_CHARACTERS_MAX), AfterValidator(one_line)
]
Descriptor = Annotated[
    str, Field(min_length=1, max_length=DESCRIPTOR_CHARACTERS_MAX), AfterValidator(one_line)
]
CardNumber = Annotated[str, AfterValidator(_card_number)]
Month = Annotated[int, BeforeValidator(_from_digits), Field(ge=1, le=12)]
Year = Annotated[
    int, BeforeValidator(_from_digits), Field(ge=0, le=2200), AfterValidator(_full_year)
]


def one_of_them(*names: str) -> dict[str, Any]:
    """For the schema: one of these members has to be there."""
    return {
        "anyOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names
        ]
    }


class Asked(BaseModel):
    """A request body: strict types, unknown members ignored as in the seed."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class CardDetails(Asked):
    """A card as it is sent. It lives for one request, in memory only."""

    number: CardNumber = Field(repr=False, examples=["4242424242424242"])
    expiry_month: Month = Field(examples=[12])
    expiry_year: Year = Field(examples=[2030])
    cvv: Annotated[str, Field(pattern=r"^[0-9]{3,4}$")] | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("cvv", "cvc"),
        examples=["123"],
    )
    """Checked and forgotten; nothing is kept of it, not even a hash (PCI DSS 3.3)."""


class PaymentRequest(Asked):
    """The body of `POST /payments`: the seed's members and ours."""

    amount: Amount = Field(description="Whole minor units, such as paise.", examples=[50000])
    order_id: OrderId = Field(examples=["order_1001"])
    method: Method = Field(examples=["upi"])
    currency: Currency = Field(default="INR", examples=["INR"])
    vpa: Vpa | None = Field(default=None, examples=["success@upi"])
    card: CardDetails | None = Field(default=None, repr=False)
    capture_method: CaptureMethod = "automatic"
    capture_at: Time | None = Field(
        default=None,
        description="When a manual payment is captured whole by itself: within seven days.",
    )
    expires_in: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="Seconds that the customer has when the bank asks back."
    )
    late_authorization: LateAuthorization = "refund"
    partial_authorization: bool = False
    customer_id: CustomerId | None = None
    statement_descriptor: Descriptor | None = None
    return_url: WebAddress | None = Field(
        default=None, description="Where the customer comes back to; http in test mode only."
    )
    description: Description | None = None
    metadata: Metadata = Field(default_factory=dict, examples=[{"cart": "77"}])


class SettingsRequest(Asked):
    """The body of `PUT /webhooks/settings`, in the seed's camel case or in snake case."""

    model_config = ConfigDict(json_schema_extra=one_of_them("webhookUrl", "webhookSecret"))

    url: str | None = Field(
        default=None, validation_alias=AliasChoices("webhookUrl", "webhook_url")
    )
    secret: Annotated[str, Field(min_length=1, max_length=SECRET_CHARACTERS_MAX)] | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("webhookSecret", "webhook_secret")
    )


def expired(card: CardDetails) -> bool:
    """Whether the card's last month is over, everywhere on earth: clocks differ by half a day."""
    latest = datetime.now(UTC) - timedelta(days=1)
    return (card.expiry_year, card.expiry_month) < (latest.year, latest.month)
