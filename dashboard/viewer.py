"""Who looks at the dashboard, and what they may see."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.streams.commands import Mode
from headgate.tables.acting import actor_of
from headgate.tables.sessions import Theme

HOME = "/dashboard"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person who is signed in."""

    id: str
    """`opr_...` or `usr_...`."""
    name: str
    merchant_id: str | None
    """The merchant whose rows are seen; None for operators, who see all."""
    mode: Mode
    """Test and live are never shown together."""
    csrf: str
    """What every form has to send back as `csrf`."""
    theme: Theme = "system"
    base: str = HOME
    """What the addresses of this person's screens begin with."""
    framed_by: str = "'none'"
    """The pages that may show the screens in a frame, as CSP's `frame-ancestors` names them."""
    may_write: bool = True
    """Whether this person may change anything, not only look."""

    @property
    def is_operator(self) -> bool:
        """Whether this is one of those who run Headgate."""
        return self.merchant_id is None

    @property
    def at_home(self) -> bool:
        """Whether these are the dashboard's own pages, where one signs in and out."""
        return self.base == HOME

    @property
    def actor(self) -> str:
        """How facts, rows and the audit name this person."""
        return actor_of("operator" if self.is_operator else "merchant_user", self.id)
