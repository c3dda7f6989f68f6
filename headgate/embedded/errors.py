"""What keeps the embedded servers from starting, told to the person who starts them."""

from __future__ import annotations

from headgate.streams.errors import HeadgateError


class CannotStart(HeadgateError):
    """A server or role cannot be started here; the message says what to do about it."""
