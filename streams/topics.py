"""Every topic: its name, key, writers, readers and retention, in one table (00 §5)."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.streams.settings import Settings

DAY_MS = 86_400_000
FOREVER = -1


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` is -1 for ever; a compacted topic keeps the last value per key."""

    name: str
    key: str
    written_by: str
    read_by: str
    purpose: str
    retention_ms: int = FOREVER
    compacted: bool = False
    public: bool = False
    """Whether others may build on it: its records are in the AsyncAPI document and change only by
    additions. All other topics are how Headgate works inside, and may change with every version."""

    def full_name(self, settings: Settings) -> str:
        """The name in the cluster: the namespace's prefix and the name."""
        return settings.prefix + self.name

    def configuration(self, settings: Settings) -> dict[str, str]:
        """The topic's configuration in Kafka's terms. Sources are never compacted (08 R4)."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_ms),
            "min.insync.replicas": str(settings.min_insync_replicas),
            "message.timestamp.type": "CreateTime",
        }


@dataclass(frozen=True, slots=True)
class DelayTier:
    """A delay topic: what enters it waits at least until its `not-before`."""

    label: str
    delay_ms: int

    @property
    def topic(self) -> Topic:
        """The tier's topic."""
        return Topic(
            name=f"delay.{self.label}",
            key="as the target",
            written_by="settle, acquire, notify, pump",
            read_by="pump",
            purpose=f"records that wait up to {self.label} before they go to their target",
            retention_ms=self.delay_ms + 7 * DAY_MS,
        )


PAYMENT_COMMANDS = Topic(
    "payments.commands", "payment_id", "edge, acquire, pump", "settle",
    "what is asked of a payment; only settle decides",
)  # fmt: skip
PAYMENT_FACTS = Topic(
    "payments.facts", "payment_id", "settle", "notify, downstream consumers, dashboard",
    "what was decided, in order per payment, once per (payment_id, sequence)",
    public=True,
)  # fmt: skip
ACQUIRER_REQUESTS = Topic(
    "acquirer.requests", "payment_id", "settle, pump", "acquire",
    "calls that a bank is asked to answer", 7 * DAY_MS,
)  # fmt: skip
WEBHOOKS_READY = Topic(
    "webhooks.ready", "endpoint_id", "notify, pump, edge (retry, cancel)", "notify (deliver)",
    "webhook attempts that are due now, and commands about them", 7 * DAY_MS,
)  # fmt: skip
WEBHOOKS_ATTEMPTS = Topic(
    "webhooks.attempts", "delivery_id", "notify (deliver)", "notify (project), downstream",
    "every webhook attempt, and notices of what is held; partitioned as its endpoint", 90 * DAY_MS,
    public=True,
)  # fmt: skip
WEBHOOKS_EVENTS = Topic(
    "webhooks.events", "merchant_id", "notify, edge (test events)", "notify, downstream consumers",
    "what happened to endpoints and deliveries, told to merchants as facts are", 90 * DAY_MS,
    public=True,
)  # fmt: skip

TIERS = (
    DelayTier("1s", 1000),
    DelayTier("5s", 5000),
    DelayTier("30s", 30_000),
    DelayTier("1m", 60_000),
    DelayTier("5m", 300_000),
    DelayTier("30m", 1_800_000),
    DelayTier("2h", 7_200_000),
    DelayTier("6h", 21_600_000),
    DelayTier("24h", 86_400_000),
)
"""The nine tiers of 08 R26, shortest first."""

SOURCES = (
    PAYMENT_COMMANDS,
    PAYMENT_FACTS,
    ACQUIRER_REQUESTS,
    WEBHOOKS_READY,
    WEBHOOKS_ATTEMPTS,
    WEBHOOKS_EVENTS,
)
"""The topics that agents read."""


def dead_letters_of(topic: Topic) -> Topic:
    """Where records of `topic` go that nobody could work on, with bytes, origin and reason."""
    return Topic(
        f"{topic.name}.dead", topic.key, topic.read_by, "operator",
        f"records of {topic.name} that could not be worked on", 90 * DAY_MS,
    )  # fmt: skip


OPEN_PAYMENTS_TABLE = "open_payments"
"""The Faust table of the settle worker."""


def changelog_of(table: str, settings: Settings) -> str:
    """The name that Faust gives a table's changelog."""
    return f"{settings.group('settle')}-{table}-changelog"


def changelog_topic(settings: Settings) -> Topic:
    """The changelog of the open payments, compacted only (03 §2.2: never `compact,delete`)."""
    return Topic(
        changelog_of(OPEN_PAYMENTS_TABLE, settings).removeprefix(settings.prefix), "payment_id",
        "settle", "settle", "the open payments, so that a worker starts warm", compacted=True,
    )  # fmt: skip


def all_topics(settings: Settings) -> tuple[Topic, ...]:
    """Every topic that this namespace needs."""
    dead = tuple(dead_letters_of(topic) for topic in SOURCES)
    return (*SOURCES, *(tier.topic for tier in TIERS), *dead, changelog_topic(settings))
