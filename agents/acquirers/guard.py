"""Which bank a namespace may ask: a scratch namespace none but the simulated one (08 R35)."""

from __future__ import annotations

from headgate.agents.acquirers.protocol import Acquirer
from headgate.agents.acquirers.simulator import Simulator
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import Settings


class RealBankRefused(HeadgateError):
    """A scratch namespace was to ask a real bank: its commands may be copies of real ones, whose
    money would move a second time."""


def permitted(settings: Settings, bank: Acquirer) -> Acquirer:
    """The bank. Raises RealBankRefused when this namespace may not ask it."""
    if settings.scratch and not isinstance(bank, Simulator):
        raise RealBankRefused(
            f"{settings.namespace} is a scratch namespace: only the simulated bank may be asked"
            f" there, not {type(bank).__name__}; use a namespace with another name"
        )
    return bank
