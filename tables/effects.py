"""What transitions do besides telling facts, by the names that the table calls them."""

from __future__ import annotations

from collections.abc import Callable

from headgate.tables import approving, inquiries, moving
from headgate.tables.story import Changes, Story, What
from headgate.tables.transitions import Effect

EFFECTS: dict[Effect, Callable[[Story, What], Changes]] = {
    "none": lambda _story, _what: {},
    "authorize": approving.authorize,
    "challenge": approving.challenge,
    "authorize_again": approving.authorize_again,
    "approve": approving.approve,
    "fail": approving.fail,
    "look_again": approving.look_again,
    "ask_now": inquiries.ask_now,
    "reverse": approving.reverse,
    "request_cancel": approving.request_cancel,
    "void": moving.void,
    "capture": moving.capture,
    "capture_due": moving.capture_due,
    "refund": moving.refund,
    "defer_refund": moving.defer_refund,
    "increment": moving.increment,
    "reverse_all": moving.reverse_all,
    "bar": moving.bar,
    "release": moving.release,
    "stand": approving.stand,
}
"""Every effect by its name."""
