"""The settings of webhooks; the others stand in `streams/settings.py`, which adds them to these."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PositiveInt = Annotated[int, Field(gt=0)]


def seed_name(name: str) -> AliasChoices:
    """A setting that keeps the seed's name and also answers to the `HEADGATE_` one."""
    return AliasChoices(name, f"HEADGATE_{name}")


class WebhookKnobs(BaseSettings):
    """What can be set about webhooks. Read as part of Settings, never by itself."""

    model_config = SettingsConfigDict(
        env_prefix="HEADGATE_",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    # Webhooks
    webhook_endpoints_max: PositiveInt = 20
    """Endpoints that a merchant may have in one mode."""
    webhook_origin: str = Field("headgate", pattern=r"^[A-Za-z0-9.-]{1,253}$")
    """The name under which this gateway asks receivers whether they want live webhooks: its own
    domain. They answer it in `WebHook-Allowed-Origin`."""
    webhook_verifications_per_min: int = Field(10, ge=0)
    """How often a minute one edge process asks receivers for one merchant. 0 is no limit."""
    webhook_verifications_max: PositiveInt = 16
    """Receivers that one edge process asks at a time."""
    webhook_timeout_ms: PositiveInt = 5000
    """One deadline for connecting, sending and reading the answer of a webhook attempt."""
    webhook_answer_bytes_max: PositiveInt = 16_384
    """Bytes of a receiver's answer that are read and kept."""
    webhook_in_flight_max: PositiveInt = 512
    """Webhook attempts in flight per process."""
    webhook_endpoint_in_flight_max: PositiveInt = 8
    """Webhook attempts in flight to one endpoint."""
    webhook_endpoint_queue_max: PositiveInt = 64
    """Webhooks that wait in memory for a place in their endpoint's lane; others are held."""
    webhook_lane_wait_ms: PositiveInt = 1000
    """How long a webhook waits for a place in its lane before it is held."""
    webhook_release_interval_ms: PositiveInt = 200
    """How often a worker looks whether held webhooks may go."""
    webhook_held_look_s: PositiveInt = 60
    """How often a worker looks through all that is held: for lanes that it does not know of, and
    for webhooks whose time is over."""
    webhook_slow_ms: PositiveInt = 5000
    """An endpoint is slow when half of its last attempts took longer."""
    webhook_slow_in_flight_max: PositiveInt = 2
    """Webhook attempts in flight to an endpoint that is slow, or failing."""
    webhook_breaker_failures_max: PositiveInt = 5
    """After so many failures in a row (no connection, no answer in time, a 5xx) nothing is sent to
    an endpoint but one probe at a time."""
    webhook_breaker_share_percent: int = Field(50, ge=1, le=100)
    """The share of failures within the window that has the same effect."""
    webhook_breaker_attempts_min: PositiveInt = 20
    """Attempts within the window below which their share says nothing."""
    webhook_breaker_window_s: PositiveInt = 60
    """The window in which failures are counted."""
    webhook_probe_wait_s: PositiveInt = 30
    """How long until the first probe; doubled after every one that fails."""
    webhook_probe_wait_max_s: PositiveInt = 600
    """The longest wait between two probes."""
    webhook_retry_intervals_test: bool = Field(
        default=False, validation_alias=seed_name("WEBHOOK_RETRY_INTERVALS_TEST")
    )
    """Retry webhooks after 5, 10, 15 and 20 seconds instead of 1, 5, 30 and 120 minutes."""
    webhook_held_window_s: PositiveInt = 272_160
    """How long a webhook may be held by a lane that is shut or crowded before it is given up: 75.6
    hours, the length of the standard schedule."""
    webhook_address_in_flight_max: PositiveInt = 128
    """Webhook attempts in flight per process to one address, whatever names lead to it; an IPv6
    network of 64 bits counts as one. Beyond it deliveries are held, which uses up no try."""
    webhook_allow_loopback: bool = False
    """Let webhooks go to this machine. For local development and tests only."""
    webhook_own_hosts: str = ""
    """Names under which this gateway is reached, separated by commas. Webhooks are not sent to
    them: a gateway that calls itself does not stop."""
    webhook_networks_allowed: str = ""
    """Networks that webhooks may be sent to although they are not public, such as `10.20.0.0/16`,
    separated by commas. Anyone who may set a webhook URL reaches every web port in them."""
    webhook_networks_denied: str = ""
    """Further networks that webhooks must not be sent to, separated by commas; they win."""
    scratch_sink: str = Field("", pattern=r"^(https?://[^/?#@\s]+)?$")
    """The one receiver that webhooks of a scratch namespace may go to, as `http://127.0.0.1:9009`.
    Empty is none. Other namespaces do not look at it."""
    webhook_header_bytes_max: PositiveInt = 16_384
    """Longest header block of a receiver's answer; a longer one fails the attempt."""
    webhook_idle_s: PositiveInt = 30
    """How long a connection to a receiver is kept open for the next webhook."""
    webhook_idle_max: PositiveInt = 1024
    """Idle connections to receivers per process; beyond it the longest idle one is closed."""
    webhook_dns_cache_s: PositiveInt = 60
    """How long the addresses of a receiver are remembered before they are looked up again."""
    webhook_dns_failure_cache_s: PositiveInt = 5
    """How long a name without addresses is remembered, so that it costs no further lookups."""
    webhook_dns_lookups_max: PositiveInt = 32
    """Lookups of names in flight per process; a slow name server holds up one of them each."""
    webhook_retention_days: PositiveInt = 90
    """How long webhook deliveries and their attempts are kept. They are dropped by whole weeks."""
    webhook_disable_after_s: PositiveInt = 432_000
    """An endpoint to which nothing got through for so long is disabled: 5 days. Its owner is warned
    at 50 and at 80 percent."""
    webhook_disable_attempts_min: PositiveInt = 20
    """Attempts that must have failed in that time, so that a quiet endpoint is not disabled."""
    webhook_events_relay_ms: PositiveInt = 500
    """How often a notify worker looks for operational events that are to be told."""
    replay_page_max: PositiveInt = 500
    """Events that a replay counts or sends at a time. A replay that is half as many ahead of its
    endpoint waits, so that a long one fills neither the log nor its endpoint's lane."""
    replay_pages_max: PositiveInt = 4
    """Pages of replays that one process works on at a time. Replays take turns, page by page."""
    replay_lease_ms: PositiveInt = 10_000
    """After this long another worker takes a replay over whose worker has died."""
    replay_poll_ms: PositiveInt = 500
    """How often a worker with nothing to replay looks for something."""
    replays_unfinished_max: PositiveInt = 20
    """Replays of one merchant and mode that may be under way or paused; more are refused."""
    delay_window_max: PositiveInt = 500
    """Records per partition of a delay topic that the pump holds in memory."""

    @field_validator("webhook_networks_allowed", "webhook_networks_denied")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for word in words(text):
            ip_network(word)  # Its ValueError names the word and what is wrong with it.
        return text


def words(text: str) -> list[str]:
    """The words of a list that is written with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
