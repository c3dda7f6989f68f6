"""The three workers: which handler works on which topic (00 A11)."""

from __future__ import annotations

from collections.abc import Callable

from headgate.agents.acquire import Acquire
from headgate.agents.acquirers.simulator import Simulator
from headgate.agents.settle import Settle
from headgate.streams.bus import Bus
from headgate.streams.engine.app import WorkerApp, create_app
from headgate.streams.engine.table import DurableTable
from headgate.streams.engine.worker import Worker
from headgate.streams.settings import Settings
from headgate.streams.topics import ACQUIRER_REQUESTS, OPEN_PAYMENTS_TABLE, PAYMENT_COMMANDS
from headgate.tables.acquirer_attempts import AcquirerAttempts
from headgate.tables.claims import PostgresClaims
from headgate.tables.open_payments import OpenPayments
from headgate.tables.postgres import Postgres
from headgate.tables.store import PaymentStore


def settle(settings: Settings) -> WorkerApp:
    """Decides commands."""
    app = create_app("settle", settings, tables=True)
    postgres, bus = Postgres(settings), Bus.of(settings, "settle")
    worker = Worker("settle", settings, app, PostgresClaims(postgres), bus)
    hot = OpenPayments(DurableTable(app, OPEN_PAYMENTS_TABLE, settings))
    worker.ownership.on_release.append(hot.forget)
    worker.batch(PAYMENT_COMMANDS, Settle(settings, PaymentStore(postgres), bus, hot).handle)
    return app


def acquire(settings: Settings) -> WorkerApp:
    """Asks banks."""
    app = create_app("acquire", settings)
    postgres, bus = Postgres(settings), Bus.of(settings, "acquire")
    worker = Worker("acquire", settings, app, PostgresClaims(postgres), bus)
    handler = Acquire(settings, AcquirerAttempts(postgres), bus, Simulator(settings))
    worker.each(ACQUIRER_REQUESTS, handler.handle, settings.acquirer_calls_max)
    return app


BUILDERS: dict[str, Callable[[Settings], WorkerApp]] = {"settle": settle, "acquire": acquire}
