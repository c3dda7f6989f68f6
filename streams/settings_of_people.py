"""The settings of people who sign in; `streams/settings.py` adds the others."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate.streams.settings_of_webhooks import PositiveInt


class PeopleKnobs(BaseSettings):
    """What can be set about signing in. Read as part of Settings, never by itself."""

    model_config = SettingsConfigDict(
        env_prefix="HEADGATE_", frozen=True, use_attribute_docstrings=True
    )

    # Signing in
    session_idle_s: PositiveInt = 3600
    """A session of the dashboard ends when nothing was asked for this long."""
    session_life_s: PositiveInt = 43_200
    """A session of the dashboard ends after this long, whatever is done."""
    sign_in_window_s: PositiveInt = 900
    """How far back sign-ins count that were not taken."""
    sign_ins_per_email: int = Field(10, ge=0)
    """Sign-ins that are not taken, by e-mail address, in the window before others have to wait. 0
    is no limit, here and below."""
    sign_ins_per_address: int = Field(50, ge=0)
    """The same by network address. Behind a proxy everybody has the proxy's."""
