"""A small HTTP/1.1 client: what it burns is taken from the system that it measures."""

from __future__ import annotations

from headgate.replay.wire import Answer, Connection, request_bytes

__all__ = ["Answer", "Connection", "request_bytes"]
