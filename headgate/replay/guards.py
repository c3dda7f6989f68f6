"""What a replay may write to, and what only in so many words (issue 7, R35)."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.streams.errors import HeadgateError
from headgate.streams.settings import SCRATCH, Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, PAYMENT_COMMANDS, PAYMENT_FACTS, all_topics


class NotAllowed(HeadgateError):
    """What was asked for is done only when it is said in so many words, or never."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was said in so many words."""

    resend_webhooks: bool = False
    call_acquirer: bool = False


def check_topic(name: str, settings: Settings, allowed: Allowed) -> None:
    """Whether raw records may be appended to the topic of this full name. Raises NotAllowed."""
    prefix, own = _own_name(name, settings)
    if own is None or prefix.startswith(SCRATCH):
        return
    if own == PAYMENT_FACTS.name or own.endswith(".dead"):
        raise NotAllowed(f"{name} is written by workers alone; a replay never writes there")
    if own == PAYMENT_COMMANDS.name and prefix == settings.prefix:
        raise NotAllowed(
            f"raw records for {name} are the very same commands again: say --same-ids for that, or"
            " --sink rest or commands for new ones"
        )
    calls = own in (PAYMENT_COMMANDS.name, ACQUIRER_REQUESTS.name) or own.startswith("delay.")
    if calls and not allowed.call_acquirer:
        raise NotAllowed(
            f"what is written to {name} makes a worker call banks; if that is what you want, say"
            " --call-acquirer"
        )
    if own.startswith(("webhooks.", "delay.")) and not allowed.resend_webhooks:
        raise NotAllowed(
            f"what is written to {name} makes a worker post webhooks; if that is what you want, say"
            " --resend-webhooks"
        )


def check_mode(key: str, *, live: bool, allowed: Allowed) -> None:
    """Whether load may be sent with this API key. Raises NotAllowed."""
    if live and not allowed.call_acquirer:
        raise NotAllowed(
            f"{key} is a live key: a replay would move money at a bank. Use a test key; if you"
            " mean it, say --call-acquirer"
        )


def check_decided(unknown: int, settings: Settings, allowed: Allowed) -> None:
    """Whether commands may be appended as they are where so many of them were never decided. Raises
    NotAllowed."""
    if unknown and not settings.scratch and not allowed.call_acquirer:
        where = f"namespace {settings.namespace}" if settings.namespace else "the live namespace"
        raise NotAllowed(
            f"{unknown:,} commands of the source were never decided in {where} on Kafka at"
            f" {settings.kafka}: they would be decided now, and banks called. --same-ids is for the"
            " log that was recorded (HEADGATE_NAMESPACE, HEADGATE_KAFKA, HEADGATE_POSTGRES); if"
            " that is what you want, say --call-acquirer"
        )


def _own_name(name: str, settings: Settings) -> tuple[str, str | None]:
    """The prefix of a namespace and the name of one of Headgate's topics; None for others."""
    for topic in all_topics(settings):
        if name == topic.name or name.endswith(f".{topic.name}"):
            return name.removesuffix(topic.name), topic.name
    return "", None
