"""Whom a run plays for: a test merchant with its key pair, and where its webhooks go."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A merchant that a run may write for."""

    merchant_id: str
    key: str
    secret: str = field(repr=False)
    endpoint_id: str | None = None
    """The endpoint that is the run's own receiver; None when the merchant was given."""
    receiver_url: str | None = None
