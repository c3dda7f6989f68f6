"""From the body of a create to the command that the log gets: no card number goes past here."""

from __future__ import annotations

import orjson

from headgate.http.problems_of_requests import CardExpired, ParameterInvalid
from headgate.http.schemas import CardDetails, PaymentRequest, expired
from headgate.http.submission import (
    Answer,
    Key,
    Submission,
    fingerprint_of,
    record_of,
    said,
)
from headgate.streams import ids
from headgate.streams.cards import Fingerprints, brand_of
from headgate.streams.commands import Card, CreatePayment
from headgate.streams.scenarios import scenario_of
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.created import created_answer
from headgate.tables.requests import HOLD_WINDOW_MS

OPERATION = "payment.create"
ROUTE = "POST /api/v1/payments"


class Creator:
    """Turns checked bodies into submissions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fingerprints = Fingerprints(settings.secret_key)

    def submission(
        self, asked: PaymentRequest, api_key: ApiKey, key: Key, request_id: str, at_ms: int
    ) -> Submission:
        """The create that `asked` wants. Raises CardExpired or ParameterInvalid."""
        self._check(asked, api_key)
        command = self._command(asked, api_key, key, request_id)
        return Submission(
            command_id=command.command_id,
            payment_id=command.payment_id,
            type=OPERATION,
            request_id=request_id,
            key=key,
            fingerprint=command.fingerprint,
            record=record_of(self._settings, command, at_ms),
            answer=Answer(201, created_answer(command, at_ms), request_id),
        )

    def _command(
        self, asked: PaymentRequest, api_key: ApiKey, key: Key, request_id: str
    ) -> CreatePayment:
        card = self._reduced(asked.card) if asked.card else None
        return CreatePayment(
            command_id=ids.command_id(key.id, OPERATION, key.text),
            payment_id=key.id,
            merchant_id=api_key.merchant_id,
            mode=api_key.mode,
            fingerprint=_fingerprint(asked, card),
            idempotency_key=key.as_given,
            key_id=key.id_as_given,
            request_id=request_id,
            actor=api_key.id,
            amount=asked.amount,
            currency=asked.currency,
            method=asked.method,
            order_id=asked.order_id,
            vpa=asked.vpa,
            card=card,
            scenario=_scenario(asked) if api_key.mode == "test" else None,
            capture_method=asked.capture_method,
            capture_at_ms=asked.capture_at,
            expires_in_s=asked.expires_in,
            late_authorization=asked.late_authorization,
            partial_authorization=asked.partial_authorization,
            customer_id=asked.customer_id,
            statement_descriptor=asked.statement_descriptor,
            return_url=asked.return_url,
            description=asked.description,
            metadata=asked.metadata,
        )

    def _check(self, asked: PaymentRequest, api_key: ApiKey) -> None:
        if asked.card is not None:
            if asked.method != "card":
                raise ParameterInvalid(
                    f"card is only taken with method card, not {asked.method}.", param="card"
                )
            if expired(asked.card):
                raise CardExpired("The card's expiry date has passed.", param="card.expiry_year")
        if asked.capture_at is not None and asked.capture_method != "manual":
            raise ParameterInvalid(
                "capture_at is only taken with capture_method manual.", param="capture_at"
            )
        address = asked.return_url or ""
        if api_key.mode == "live" and address.startswith("http:"):
            raise ParameterInvalid(
                "return_url must begin with https:// in live mode.", param="return_url"
            )
        self._check_size(asked)

    def _check_size(self, asked: PaymentRequest) -> None:
        size = len(orjson.dumps(asked.metadata)) if asked.metadata else 0
        if size > self._settings.metadata_bytes_max:
            raise ParameterInvalid(
                f"metadata has {size} bytes of JSON; {self._settings.metadata_bytes_max} are "
                "allowed.",
                param="metadata",
            )

    def _reduced(self, card: CardDetails) -> Card:
        return Card(
            brand=brand_of(card.number),
            last4=card.number[-4:],
            expiry_month=card.expiry_month,
            expiry_year=card.expiry_year,
            fingerprint=self._fingerprints.of(card.number),
        )


def time_problem(asked: PaymentRequest, at_ms: int) -> ParameterInvalid | None:
    """What is wrong with the times of a create that comes in now. A repeat of one that was taken
    before is answered all the same, so this is no fault of the body."""
    if asked.capture_at is None or at_ms < asked.capture_at <= at_ms + HOLD_WINDOW_MS:
        return None
    return ParameterInvalid(
        "capture_at must lie in the future, and within the seven days of a hold.",
        param="capture_at",
    )


def _scenario(asked: PaymentRequest) -> str | None:
    return scenario_of(
        card_number=asked.card.number if asked.card else None,
        vpa=asked.vpa,
        amount=asked.amount,
        metadata=asked.metadata,
    )


def _fingerprint(asked: PaymentRequest, card: Card | None) -> str:
    """The card counts by its keyed hash (00 A15)."""
    members = said(asked, without="card")
    if card is not None:
        members["card"] = card.model_dump()
    return fingerprint_of(ROUTE, {}, members)
