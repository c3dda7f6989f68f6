"""The settings of the checkout; `streams/settings.py` adds the others to these."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PositiveInt = Annotated[int, Field(gt=0)]


class CheckoutKnobs(BaseSettings):
    """What can be set about the checkout. Read as part of Settings, never by itself."""

    model_config = SettingsConfigDict(
        env_prefix="HEADGATE_",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    # Checkout
    public_url: str = Field("", pattern=r"^(https?://[A-Za-z0-9.\-\[\]:]+)?$")
    """Where customers reach this gateway, such as `https://pay.example.com`; it begins the URL of
    hosted pages. Empty takes what the request that asks for one was sent to."""
    checkout_session_s: PositiveInt = 1800
    """How long a payment may begin in a checkout session."""
    checkout_session_days: PositiveInt = 90
    """How long a checkout session is kept after its time is over, to say so to whoever opens it and
    to answer repeats of the request that made it. After that it goes as new ones come."""
    checkout_attempts_max: PositiveInt = 10
    """Payments that one checkout session may have; each but the last one failed for good."""
    checkout_wait_s_max: PositiveInt = 20
    """How long a checkout page's question may wait for something new."""
    checkout_waiting_max: PositiveInt = 512
    """Checkout pages that may wait at one edge at a time; others are answered at once."""
