"""Notices: the records by which a lane tells what it holds, and those that let it go or end it."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import dataschema, encode, event_headers
from headgate.streams.deliveries import CANCEL, NOTICE, DeliveryNoted, DeliveryWanted, What, Why
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_ATTEMPTS
from headgate.tables.deliveries import HELD, ready


@dataclass(frozen=True, slots=True)
class Hold:
    """Which hold of an attempt it is, and where its record stands."""

    number: int
    position: int
    fifo: bool = False


def notice(
    wanted: DeliveryWanted, what: What, why: Why, hold: Hold, at_ms: int, settings: Settings
) -> Record:
    """The record that tells of it. It goes where the endpoint's attempts go, so that both are read
    in the order in which the lane told them."""
    noted = DeliveryNoted(
        what=what,
        why=why,
        wanted=wanted,
        hold=hold.number,
        position=hold.position,
        fifo=hold.fifo,
        at_ms=at_ms,
    )
    kind, known_by = "delivery.noted", f"{wanted.token}.{what}.{hold.number}"
    said = event_headers(b"/headgate/attempts", kind, known_by, iso(at_ms))
    return Record(
        topic=WEBHOOKS_ATTEMPTS.full_name(settings),
        partition=ids.partition_of(wanted.endpoint_id, settings.partitions),
        key=wanted.delivery_id.encode(),
        value=encode(noted),
        headers=(*said, dataschema(kind), (NOTICE, what.encode())),
    )


def release(wanted: DeliveryWanted, hold: int, settings: Settings) -> Record:
    """The held attempt, wanted again. It may be a repeat: who released it may have died before it
    was noted."""
    record = ready(wanted, settings, repeated=True)
    return Record(
        topic=record.topic,
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=(*record.headers, (HELD, b"%d" % hold)),
    )


def cancel(wanted: DeliveryWanted, nonce: str, settings: Settings) -> Record:
    """The command that no further attempt of this delivery be made. It goes the way of the
    attempts, to the lane that makes them; `nonce` makes each command its own (08 R28)."""
    token = f"{wanted.delivery_id}.cancel.{nonce}"
    asked = wanted.model_copy(update={"body": "", "manual": True, "token": token})
    record = ready(asked, settings)
    return Record(
        topic=record.topic,
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=(*record.headers, (CANCEL, b"1")),
    )
