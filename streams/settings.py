"""Every setting of Headgate: its name, default, meaning and environment variable."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from headgate.streams.settings_of_checkout import CheckoutKnobs
from headgate.streams.settings_of_people import PeopleKnobs
from headgate.streams.settings_of_webhooks import PositiveInt, WebhookKnobs, seed_name, words

PORT_MAX = 65_535
SCRATCH = "scratch_"
"""What the name of a scratch namespace begins with (08 R35)."""


class Settings(WebhookKnobs, PeopleKnobs, CheckoutKnobs):
    """Read once at start. Durations end in `_ms` or `_s`, sizes in `_bytes`, counts in `_max`."""

    # Where things are
    namespace: str = Field("", pattern=r"^([a-z][a-z0-9_]{0,30})?$")
    """Prefix of topics, groups, instance ids, the PostgreSQL schema and Redis keys, so that a
    replay can run beside the live system. Empty is the live system."""
    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers of Kafka, `host:port` separated by commas."""
    redis: str = "redis://127.0.0.1:6379/0"
    """URL of Redis or Valkey."""
    postgres: str = "postgresql://headgate@127.0.0.1:5432/headgate"
    """URL of PostgreSQL."""
    instance_slot: str = "0"
    """Which slot of its role this process fills; with the role it makes the stable instance id."""
    static_membership: bool = True
    """Join consumer groups under the stable instance id, so that a restarted worker is back
    without stopping the others."""
    state_dir: Path = Path(".headgate")
    """Folder for what a process remembers between starts: the embedded servers' data, the last
    known configuration (mode 0600)."""
    secret_key: str = ""
    """32 bytes in base64 that encrypt webhook secrets at rest. `headgate up` draws one."""
    log_level: str = Field("info", pattern=r"^(debug|info|warning|error)$")
    """The least severe log line that is written."""
    log_json: bool = False
    """Write log lines as JSON, for machines."""

    # Edge
    http_host: str = "127.0.0.1"
    """Address that the edge listens on."""
    http_port: PositiveInt = 8000
    """Port that the edge listens on."""
    http_more_ports: str = ""
    """Further ports on which the edge answers the same, separated by commas. `headgate up
    --seed-ports` makes them 3000 and 3001, where clients of the seed look for its pages."""
    demo_pages: bool = False
    """Show the seed's pages (`/`, `/webhooks`, `/docs`) for the demo merchant without a sign-in.
    The demo merchant's keys are public and exist on one's own machine only, so there is nothing to
    protect there; anywhere else it must stay off, and does nothing without a demo merchant.
    `headgate up` sets it."""
    body_bytes_max: PositiveInt = 65536
    """Longest request body; longer ones are answered 413 and the connection is closed."""
    body_wait_ms: PositiveInt = 10_000
    """How long a request's headers and body may take to arrive."""
    header_bytes_max: PositiveInt = 16_384
    """Longest request line and headers together; longer ones are answered 431."""
    headers_max: PositiveInt = 100
    """Most headers of a request; more are answered 431."""
    requests_in_flight_max: PositiveInt = 2048
    """Requests that one edge works on at a time; beyond it they are answered 503."""
    idempotency_window_s: PositiveInt = 7 * 86400
    """How long the stored answer of an idempotency key is kept. Duplicates are refused for ever."""
    in_flight_wait_ms: PositiveInt = 2000
    """How long a second request with a key in flight waits for the first one's answer."""
    decision_wait_ms: PositiveInt = 2000
    """How long a capture, cancel or refund waits for its decision before it is answered 202;
    `Prefer: wait=n` sets it per request."""
    unused_key_wait_ms: PositiveInt = 200
    """How long a request waits for PostgreSQL to say that its key is new, when Redis may have
    forgotten it. Beyond it the answer comes from the decision."""
    log_wait_ms: PositiveInt = 2000
    """How long a request waits for the log's ack before it is answered from the outbox."""
    redis_wait_ms: PositiveInt = 500
    """How long a request waits for Redis before it goes around it."""
    read_wait_ms: PositiveInt = 2000
    """How long a read waits for the settle worker to catch up before it answers 503."""
    outbox_entries_max: PositiveInt = 100_000
    """Commands that may wait for the log; beyond it requests are answered 503."""
    outbox_lease_ms: PositiveInt = 2000
    """After this long an outbox entry counts as abandoned and any edge takes it over."""
    handoff_batch_max: PositiveInt = 512
    """Requests that one pipeline to Redis and one produce request carry at most."""
    retry_after_s: PositiveInt = 2
    """The `Retry-After` of a 503."""
    page_size_max: PositiveInt = 100
    """Longest page of a list."""
    events_poll_ms: PositiveInt = 250
    """How often an edge looks for new events while somebody follows them."""
    events_viewers_max: PositiveInt = 256
    """Who may follow events on one edge at a time; others are answered 503."""
    metadata_bytes_max: PositiveInt = 8192
    """Most bytes of JSON that a payment's metadata may have."""

    request_log_days: PositiveInt = 30
    """How long the request log is kept: requests that changed something or were refused. It is
    dropped by whole weeks."""
    request_log_waiting_max: PositiveInt = 10_000
    """Entries of the request log that wait for PostgreSQL in one edge. Beyond it they are dropped
    and counted (`headgate_request_log_dropped_total`); no request waits for them."""

    # Dashboard alone
    edge_url: str = Field("http://127.0.0.1:8000", pattern=r"^https?://[^/?#\s]+/?$")
    """Where `headgate dashboard` finds a running edge, through which it does everything that
    changes anything. Both must have the same `HEADGATE_SECRET_KEY`."""
    dashboard_port: PositiveInt = 8001
    """Port that `headgate dashboard` listens on, at `HEADGATE_HTTP_HOST`."""

    # Limits
    writes_per_s_live: int = Field(1000, ge=0)
    """Writes a second that a live API key may make at one edge process, unless the key has a rate
    of its own. 0 is no limit, here and below; `headgate up` sets all of these to 0."""
    writes_per_s_test: int = Field(250, ge=0)
    """Writes a second that a test API key may make at one edge process."""
    reads_per_s_live: int = Field(5000, ge=0)
    """Reads a second that a live API key may make at one edge process."""
    reads_per_s_test: int = Field(1000, ge=0)
    """Reads a second that a test API key may make at one edge process."""
    payment_writes_per_min: int = Field(20, ge=0)
    """Writes a minute to one payment: captures, refunds, cancels."""
    wrong_keys_per_min: int = Field(100, ge=0)
    """Wrong API keys a minute from one address; more are answered 429. Right keys always work,
    so a proxy in front of the edge, whose address all clients have, harms nobody."""

    # Log
    partitions: PositiveInt = 8
    """Partitions of every topic. Frozen once the topics exist."""
    replication_factor: PositiveInt = 1
    """Replicas of every topic; 3 in production."""
    min_insync_replicas: PositiveInt = 1
    """Replicas that must have a record before it counts as written; 2 in production."""
    produce_timeout_ms: PositiveInt = 15_000
    """How long one produce request may take before it is tried again."""
    session_timeout_ms: PositiveInt = 6000
    """After this long without a heartbeat a worker's partitions go to another one."""
    commit_interval_ms: PositiveInt = 500
    """How often workers commit their (advisory) group offsets."""
    rebalance_timeout_ms: PositiveInt = 20_000
    """How long a consumer group waits for a member to join again before it goes on without it."""
    broker_timeout_ms: PositiveInt = 30_000
    """After this long without an answer a consumer's connection to Kafka is given up. Joining a
    group is one such request, so this must be longer than `rebalance_timeout_ms`."""
    fetch_wait_ms: PositiveInt = 500
    """How long Kafka may hold a fetch open when nothing new arrives. New records end it at once;
    a partition that was just assigned waits for it."""

    # Workers
    batch_max: PositiveInt = 200
    """Most commands that one settle statement decides."""
    batch_every_ms: int = Field(25, ge=0)
    """Least time between the beginnings of two batches of commands. A command after a pause waits
    for nothing; under load this gathers batches that cost less per command."""
    match_every_ms: int = Field(25, ge=0)
    """The same of batches of facts, which are matched to endpoints."""
    project_every_ms: int = Field(100, ge=0)
    """The same of batches of finished webhook attempts, which become rows."""
    worker_niceness: int = Field(0, ge=0, le=19)
    """How far acquire and notify step back behind other processes of their machine. `headgate up`
    sets 10: where everything shares a few cores, accepting and deciding go before telling."""
    buffer_records_max: PositiveInt = 16_384
    """Records that a worker holds in memory before it stops fetching."""
    revoke_wait_ms: PositiveInt = 2000
    """How long a revoked partition waits for the batch in flight."""
    retry_backoff_ms: PositiveInt = 100
    """First wait after an infrastructure error; doubles up to `retry_backoff_max_ms`."""
    retry_backoff_max_ms: PositiveInt = 5000
    """Longest wait between two tries of the same work."""
    stall_timeout_s: PositiveInt = 30
    """A worker that owns nothing, or owns records and makes no progress, for this long ends its
    process so that the supervisor starts it afresh. At least twice `acquirer_timeout_ms`."""
    stop_wait_ms: PositiveInt = 3000
    """How long a worker that was told to stop may take. Then it ends at once, which is safe: what
    was not acknowledged is read again."""
    heartbeat_interval_ms: PositiveInt = 1000
    """How often a worker writes that it is alive."""
    postgres_connections_max: PositiveInt = 8
    """Connections to PostgreSQL per process."""
    postgres_timeout_ms: PositiveInt = 10_000
    """Longest time that one statement may take."""
    worker_metrics_port: int = Field(0, ge=0, le=65_533)
    """Port on which workers answer Prometheus (`GET /metrics`): settle on this one, acquire on the
    next, notify on the one after. 0 is none."""
    worker_metrics_host: str = "127.0.0.1"
    """Address that these ports are on. Nothing there is secret, and nobody is asked for a key."""
    configuration_refresh_ms: PositiveInt = 1000
    """How often a process looks for a newer merchant and endpoint configuration."""

    # Acquirer
    test_mode: bool = Field(default=False, validation_alias=seed_name("TEST_MODE"))
    """The simulated bank approves everything that no test value makes it refuse."""
    test_processing_delay_ms: int = Field(
        default=1000, ge=0, validation_alias=seed_name("TEST_PROCESSING_DELAY")
    )
    """How long the simulated bank takes in test mode, in milliseconds."""
    test_payment_success: bool = Field(
        default=True, validation_alias=seed_name("TEST_PAYMENT_SUCCESS")
    )
    """Whether the simulated bank approves in test mode."""
    upi_success_rate: float = Field(
        default=0.90, ge=0, le=1, validation_alias=seed_name("UPI_SUCCESS_RATE")
    )
    """Share of UPI payments that the simulated bank approves outside test mode."""
    card_success_rate: float = Field(
        default=0.95, ge=0, le=1, validation_alias=seed_name("CARD_SUCCESS_RATE")
    )
    """Share of all other payments that the simulated bank approves outside test mode."""
    processing_delay_min_ms: int = Field(
        default=5000, ge=0, validation_alias=seed_name("PROCESSING_DELAY_MIN")
    )
    """Shortest time that the simulated bank takes outside test mode, in milliseconds."""
    processing_delay_max_ms: int = Field(
        default=10_000, ge=0, validation_alias=seed_name("PROCESSING_DELAY_MAX")
    )
    """Longest time that the simulated bank takes outside test mode, in milliseconds."""
    refund_delay_min_ms: int = Field(3000, ge=0)
    """Shortest time that the simulated bank takes over a refund outside test mode."""
    refund_delay_max_ms: int = Field(5000, ge=0)
    """Longest time that the simulated bank takes over a refund outside test mode."""
    simulator_seed: str = "headgate"
    """Seed of the simulated bank: the same payment and seed give the same outcome, always."""
    acquirer_timeout_ms: PositiveInt = 10_000
    """How long a call to an acquirer may take before the payment is in doubt. At most half of
    `stall_timeout_s`: a request may need two calls, and nothing is acknowledged meanwhile."""
    acquirer_calls_max: PositiveInt = 256
    """Calls to acquirers in flight per process."""

    @field_validator("http_more_ports")
    @classmethod
    def _are_ports(cls, text: str) -> str:
        for word in words(text):
            if not (word.isdecimal() and 0 < int(word) <= PORT_MAX):
                raise ValueError(f"{word} is no port: a whole number from 1 to {PORT_MAX}")
        return text

    @model_validator(mode="after")
    def _calls_fit_into_the_watchdogs_patience(self) -> Self:
        """Inquire plus authorize must not look like a stall."""
        least_s = -(-2 * self.acquirer_timeout_ms // 1000)
        if self.stall_timeout_s < least_s:
            raise ValueError(
                f"two calls to an acquirer may take {2 * self.acquirer_timeout_ms} ms"
                f" (HEADGATE_ACQUIRER_TIMEOUT_MS={self.acquirer_timeout_ms}), and a worker is ended"
                f" after {self.stall_timeout_s} s without progress: set HEADGATE_STALL_TIMEOUT_S to"
                f" at least {least_s}, or HEADGATE_ACQUIRER_TIMEOUT_MS to at most"
                f" {self.stall_timeout_s * 500}"
            )
        return self

    @property
    def http_ports(self) -> list[int]:
        """Every port that the edge listens on, the main one first."""
        return list(dict.fromkeys([self.http_port, *map(int, words(self.http_more_ports))]))

    @property
    def scratch(self) -> bool:
        """Whether this is a scratch namespace: one for trying out, which reaches no real bank, no
        receiver but its own and no client with a live key (08 R35)."""
        return self.namespace.startswith(SCRATCH)

    @property
    def schema_name(self) -> str:
        """The PostgreSQL schema of this namespace."""
        return f"headgate_{self.namespace}" if self.namespace else "headgate"

    @property
    def prefix(self) -> str:
        """What topic names, groups and instance ids of this namespace begin with."""
        return f"{self.namespace}." if self.namespace else ""

    @property
    def redis_prefix(self) -> str:
        """What every Redis key of this namespace begins with; one hash slot on a cluster."""
        return f"{{headgate{'-' + self.namespace if self.namespace else ''}}}:"

    def group(self, role: str) -> str:
        """The consumer group of a role: `settle`, `acquire`, `notify` or `delay`."""
        return f"{self.prefix}headgate-{role}"

    def instance_id(self, role: str) -> str:
        """The stable id of this process: namespace, role and slot (08 R7)."""
        return f"{self.namespace or 'headgate'}/{role}/{self.instance_slot}"


@cache
def settings() -> Settings:
    """The settings of this process, read from the environment at the first call."""
    return Settings()
