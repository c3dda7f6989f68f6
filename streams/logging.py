"""Log lines: events with fields, for people or for machines, and never a secret in them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from headgate.streams.cards import masked
from headgate.streams.settings import Settings

Event = MutableMapping[str, Any]

_SECRET_WORDS = ("secret", "password", "authorization", "signature", "cvv", "cvc", "pan")
_HIDDEN = "…"


def configure(settings: Settings) -> None:
    """Send every log line of this process, also those of libraries, to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # aiokafka tells every lost connection as an error, again and again; the bus tells it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _renderer(settings: Settings) -> structlog.typing.Processor:
    if settings.log_json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def hide_secrets(_logger: object, _name: str, event: Event) -> Mapping[str, Any]:
    """Drop the values of fields that are named like secrets, and mask card numbers everywhere."""
    for name, value in event.items():
        if any(word in name.lower().split("_") for word in _SECRET_WORDS):
            event[name] = _HIDDEN
        elif isinstance(value, str):
            event[name] = masked(value)
    return event
