"""From the body of a create to the command that the log gets: no card number goes past here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from headgate.http.problems_of_requests import CardExpired, ParameterInvalid
from headgate.http.schemas import CardDetails, PaymentRequest, expired
from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.cards import Fingerprints, brand_of
from headgate.streams.codec import SCHEMA_VERSION, Headers, encode
from headgate.streams.commands import Card, CreatePayment
from headgate.streams.scenarios import scenario_of
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.configuration import ApiKey
from headgate.tables.created import created_answer

OPERATION = "payment.create"
ROUTE = "POST /api/v1/payments"


@dataclass(frozen=True, slots=True)
class Submission:
    """A command on its way to the log, with the answer that its client gets when it is there."""

    command_id: str
    payment_id: str
    request_id: str
    key: str
    keyed: bool
    """Whether the client brought the key; a drawn one cannot have been used before."""
    fingerprint: str
    record: Record
    answer: bytes


class Creator:
    """Turns checked bodies into submissions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = PAYMENT_COMMANDS.full_name(settings)
        self._fingerprints = Fingerprints(settings.secret_key)

    def submission(
        self, asked: PaymentRequest, api_key: ApiKey, key: str | None, request_id: str, at_ms: int
    ) -> Submission:
        """The create that `asked` wants. Raises CardExpired or ParameterInvalid."""
        self._check(asked)
        used = key or ids.draw_key()
        card = self._reduced(asked.card) if asked.card else None
        payment_id = ids.payment_id(api_key.merchant_id, api_key.mode, used)
        command = CreatePayment(
            command_id=ids.command_id(payment_id, OPERATION, used),
            payment_id=payment_id,
            merchant_id=api_key.merchant_id,
            mode=api_key.mode,
            fingerprint=_fingerprint(asked, card),
            idempotency_key=key,
            request_id=request_id,
            amount=asked.amount,
            currency=asked.currency,
            method=asked.method,
            order_id=asked.order_id,
            vpa=asked.vpa,
            card=card,
            scenario=_scenario(asked) if api_key.mode == "test" else None,
            capture_method=asked.capture_method,
            description=asked.description,
            metadata=asked.metadata,
        )
        return Submission(
            command_id=command.command_id,
            payment_id=payment_id,
            request_id=request_id,
            key=used,
            keyed=key is not None,
            fingerprint=command.fingerprint,
            record=self._record(command, at_ms),
            answer=created_answer(command, at_ms),
        )

    def _record(self, command: CreatePayment, at_ms: int) -> Record:
        return Record(
            topic=self._topic,
            partition=ids.partition_of(command.payment_id, self._settings.partitions),
            key=command.payment_id.encode(),
            value=encode(command),
            headers=HEADERS,
            timestamp_ms=at_ms,
        )

    def _check(self, asked: PaymentRequest) -> None:
        if asked.card is not None:
            if asked.method != "card":
                raise ParameterInvalid(
                    f"card is only taken with method card, not {asked.method}.", param="card"
                )
            if expired(asked.card):
                raise CardExpired("The card's expiry date has passed.", param="card.expiry_year")
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


HEADERS: Headers = (("v", SCHEMA_VERSION),)


def _scenario(asked: PaymentRequest) -> str | None:
    return scenario_of(
        card_number=asked.card.number if asked.card else None,
        vpa=asked.vpa,
        amount=asked.amount,
        metadata=asked.metadata,
    )


def _fingerprint(asked: PaymentRequest, card: Card | None) -> str:
    """Hash of route and canonical body: what was asked, without what is ignored or the default,
    so that members added later change no old hash; the card by its keyed hash (00 A15)."""
    said: dict[str, Any] = {
        name: getattr(asked, name) for name in asked.model_fields_set if name != "card"
    }
    canonical = {name: value for name, value in said.items() if value != _DEFAULTS.get(name)}
    if card is not None:
        canonical["card"] = card.model_dump()
    body = orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(f"{ROUTE}\n".encode() + body).hexdigest()


_DEFAULTS = {
    name: field.get_default(call_default_factory=True)
    for name, field in PaymentRequest.model_fields.items()
    if not field.is_required()
}
