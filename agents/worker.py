"""The three workers: which handler works on which topic (00 A11)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from headgate.agents.acquire import Acquire
from headgate.agents.acquirers.simulator import Simulator
from headgate.agents.attempt import Poster
from headgate.agents.attempts_known import AttemptsKnown
from headgate.agents.delay import DelayPump
from headgate.agents.deliver import Deliver
from headgate.agents.event_relay import EventRelay
from headgate.agents.gone import Gone
from headgate.agents.lanes import Lanes
from headgate.agents.notify import Notify
from headgate.agents.notify_operational import NotifyOperational
from headgate.agents.project import Project
from headgate.agents.release import Owned, Release
from headgate.agents.replay import Replayer
from headgate.agents.settle import Settle
from headgate.agents.telling import Telling
from headgate.agents.webhook_metrics import WebhookCollector, WebhookMetrics
from headgate.agents.webhook_watch import WebhookWatch
from headgate.streams.bus import Bus
from headgate.streams.engine.app import WorkerApp, create_app
from headgate.streams.engine.table import DurableTable
from headgate.streams.engine.worker import Worker
from headgate.streams.outbound.transport import PinnedTransport
from headgate.streams.secrets import SecretBox
from headgate.streams.settings import Settings
from headgate.streams.topics import (
    ACQUIRER_REQUESTS,
    OPEN_PAYMENTS_TABLE,
    PAYMENT_COMMANDS,
    PAYMENT_FACTS,
    WEBHOOKS_ATTEMPTS,
    WEBHOOKS_EVENTS,
    WEBHOOKS_READY,
)
from headgate.tables import endpoint_states
from headgate.tables.acquirer_attempts import AcquirerAttempts
from headgate.tables.acquirer_knobs import DEFAULTS
from headgate.tables.claims import PostgresClaims
from headgate.tables.configuration import ConfigurationCopy, Endpoint
from headgate.tables.deliveries_store import DeliveryStore
from headgate.tables.delivery_weeks import DeliveryWeeks
from headgate.tables.endpoint_health import Rules
from headgate.tables.endpoint_health_store import EndpointHealth
from headgate.tables.held_store import HeldStore
from headgate.tables.open_payments import OpenPayments
from headgate.tables.postgres import Postgres
from headgate.tables.replay_sources import sources_of
from headgate.tables.replay_work import ReplayWork
from headgate.tables.replies import Replies
from headgate.tables.store import PaymentStore
from headgate.tables.webhook_events import WebhookEvents

OWN_ACTOR = "headgate"
"""Who the audit names for what nobody asked for."""


def settle(settings: Settings) -> WorkerApp:
    """Decides commands."""
    app = create_app("settle", settings)
    postgres, bus = Postgres(settings), Bus.of(settings, "settle")
    worker = Worker("settle", settings, app, PostgresClaims(postgres), bus)
    hot = OpenPayments(DurableTable(app, OPEN_PAYMENTS_TABLE, settings))
    worker.ownership.on_release.append(hot.forget)
    replies = Replies(settings)
    deciding = Settle(settings, PaymentStore(postgres), bus, hot, replies)
    worker.batch(PAYMENT_COMMANDS, deciding.handle)
    worker.run_always(replies.run)
    return app


def acquire(settings: Settings) -> WorkerApp:
    """Asks banks."""
    app = create_app("acquire", settings)
    postgres, bus = Postgres(settings), Bus.of(settings, "acquire")
    worker = Worker("acquire", settings, app, PostgresClaims(postgres), bus)
    configuration = ConfigurationCopy(settings, postgres)
    bank = Simulator(settings, lambda merchant: configuration.now.knobs.get(merchant, DEFAULTS))
    handler = Acquire(settings, AcquirerAttempts(postgres), bus, bank)
    worker.each(ACQUIRER_REQUESTS, handler.handle, settings.acquirer_calls_max)
    worker.run_always(configuration.run)
    return app


def notify(settings: Settings) -> WorkerApp:
    """Matches facts to endpoints, posts webhooks, keeps their rows, and pumps what is delayed."""
    app = create_app("notify", settings)
    postgres, bus = Postgres(settings), Bus.of(settings, "notify")
    worker = Worker("notify", settings, app, PostgresClaims(postgres), bus)
    configuration = ConfigurationCopy(settings, postgres)
    store = DeliveryStore(postgres)
    lanes, telling = _deliver(worker, settings, postgres, configuration)
    matching = Notify(settings, store, bus, configuration)
    worker.batch(PAYMENT_FACTS, matching.handle, every_ms=settings.match_every_ms)
    events = WebhookEvents(postgres)
    own = NotifyOperational(settings, store, bus, configuration, events)
    worker.batch(WEBHOOKS_EVENTS, own.handle, every_ms=settings.match_every_ms)
    worker.run_always(EventRelay(settings, events, bus).run)
    watch = _watch(worker, settings, postgres, events)
    projecting = Project(settings, store, bus, watch)
    worker.batch(WEBHOOKS_ATTEMPTS, projecting.handle, every_ms=settings.project_every_ms)
    worker.run_always(configuration.run)
    worker.run_always(DeliveryWeeks(settings, postgres).run)
    replayer = _replayer(settings, postgres, bus, configuration)
    worker.run_always(replayer.run)
    pumps: list[DelayPump] = []
    app.service(_pump(worker, settings, bus, pumps))
    worker.registry.register(
        WebhookCollector(
            lanes, lambda: telling.held, lambda: pumps[-1] if pumps else None, replayer
        )
    )
    return app


def _deliver(
    worker: Worker, settings: Settings, postgres: Postgres, configuration: ConfigurationCopy
) -> tuple[Lanes, Telling]:
    """Posts what is wanted, holds what cannot go, and lets it go again. Twice as many records as
    attempts are worked on: some only look up, or tell that they are held."""
    poster = Poster(settings, PinnedTransport(settings), SecretBox(settings.secret_key))
    known = AttemptsKnown(DeliveryStore(postgres), batch_max=settings.batch_max)
    lanes, telling = Lanes(settings), Telling(settings, worker.bus)
    deliver = Deliver(settings, known, telling, configuration.endpoint, poster, lanes)
    gone = Gone(settings, partial(_disable_gone, postgres), configuration)
    deliver.on_gone.append(gone.note)
    owned = Owned(
        partitions=lambda: worker.ownership.of(WEBHOOKS_READY.name),
        endpoint=configuration.endpoint,
        readable=poster.readable,
    )
    releasing = Release(settings, HeldStore(postgres), worker.bus, lanes, owned)
    worker.each(WEBHOOKS_READY, deliver.handle, 2 * settings.webhook_in_flight_max)
    worker.run_always(releasing.run)
    worker.run_always(gone.run)
    return lanes, telling


def _watch(
    worker: Worker, settings: Settings, postgres: Postgres, events: WebhookEvents
) -> WebhookWatch:
    """Tells merchants what their endpoints come to, and disables those that fail for days."""

    async def disable_failing(endpoint_id: str) -> bool:
        return await endpoint_states.disable(postgres, endpoint_id, "failing", OWN_ACTOR)

    health = EndpointHealth(postgres, Rules.of(settings))
    return WebhookWatch(events, health, disable_failing, WebhookMetrics(worker.registry))


def _replayer(
    settings: Settings, postgres: Postgres, bus: Bus, configuration: ConfigurationCopy
) -> Replayer:
    """Works on replays, whichever worker has begun them."""
    work = ReplayWork(postgres, settings.replay_lease_ms / 1000)
    sources = sources_of(settings, postgres, bus)
    return Replayer(settings, work, sources, bus, configuration)


async def _disable_gone(postgres: Postgres, endpoint: Endpoint) -> bool:
    """Only while it has the URL that answered: an old place must not disable the new one."""
    return await endpoint_states.disable(postgres, endpoint.id, "gone", OWN_ACTOR, url=endpoint.url)


def _pump(worker: Worker, settings: Settings, bus: Bus, pumps: list[DelayPump]) -> type[DelayPump]:
    """The one pump of the namespace, with an incarnation of its own (08 R7); Faust makes it, and
    it is then in `pumps`."""
    ownership = worker.owner_without_topics("delay")

    async def confirm() -> None:
        """Leave if a newer pump runs under our id. Raises Unavailable: the pump then goes on with
        its work and asks again, since a database away does not stop the clock."""
        await ownership.register()
        await ownership.leave_if_superseded()

    class Pump(DelayPump):
        def __init__(self, **_: object) -> None:
            super().__init__(settings, bus, confirm=confirm)
            pumps.append(self)

    return Pump


BUILDERS: dict[str, Callable[[Settings], WorkerApp]] = {
    "settle": settle,
    "acquire": acquire,
    "notify": notify,
}
"""The worker of each role."""
