"""Reads that see at least what their reader has written: `Consistent-With` (01 §7.1)."""

from __future__ import annotations

from headgate.http.auth import Authenticator
from headgate.http.decisions import Decisions
from headgate.http.exchange import Exchange
from headgate.http.positions import Positions
from headgate.http.problems_of_services import NotCaughtUp
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, ConfigurationCopy
from headgate.tables.scopes import Scope

HEADER = "Consistent-With"
_READS = frozenset({"GET", "HEAD"})


class Consistency:
    """How far settle is, and waiting for it. Every method raises StoreUnavailable."""

    def __init__(self, settings: Settings, decisions: Decisions) -> None:
        self.positions = Positions(settings)
        self._decisions = decisions
        self._wait_ms = settings.read_wait_ms
        self._retry_after_s = settings.retry_after_s

    async def wait_for(self, offsets: dict[int, int]) -> None:
        """Wait until settle is beyond these offsets by partition. Raises NotCaughtUp."""
        if not await self._decisions.beyond(offsets, self._wait_ms):
            raise NotCaughtUp(
                f"The settle worker did not come to this position within {self._wait_ms} ms. "
                "Try again.",
                retry_after_s=self._retry_after_s,
            )

    async def settled(self) -> dict[int, int]:
        """The next offset to be decided of every partition that has one."""
        return await self._decisions.settled()


class ConsistentAuthenticator(Authenticator):
    """Lets readers in: their key first, then the position in their `Consistent-With`."""

    def __init__(
        self, settings: Settings, configuration: ConfigurationCopy, consistency: Consistency
    ) -> None:
        super().__init__(settings, configuration)
        self._consistency = consistency

    async def key_of(self, exchange: Exchange, scope: Scope) -> ApiKey:
        """The reader's API key, once what it names can be read.

        Raises what every Authenticator does; for reads also ParameterInvalid for a position that
        cannot be, NotCaughtUp when settle does not come there in time, StoreUnavailable.
        """
        api_key = await super().key_of(exchange, scope)
        given = exchange.headers.get(HEADER.lower())
        if given is not None and exchange.method in _READS:
            await self._consistency.wait_for(self._consistency.positions.parse(given, HEADER))
        return api_key
