"""How a run went, for people and for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from typing import Any

from bench.load import percentile

APART = ("load generator", "webhook receiver", "machine")
"""What used CPU but is no part of Headgate."""


@dataclass(frozen=True)
class Report:
    """The figures of one run. A time is None when not all payments got so far."""

    payments: int
    connections: int
    rate: float | None
    accepted: int
    statuses: dict[str, int]
    settled_s: float | None
    delivered_s: float | None
    repeats: int
    latencies_s: list[float]
    cpu_s: dict[str, float]

    @property
    def complete(self) -> bool:
        """Whether every payment was accepted, became final and was delivered."""
        return (
            self.accepted == self.payments
            and self.settled_s is not None
            and self.delivered_s is not None
        )

    def per_second(self, seconds: float | None) -> float | None:
        """Payments per second over this time."""
        return None if seconds is None else round(self.payments / seconds, 1)

    def accept_ms(self) -> dict[str, float]:
        """Latency of the answers, in milliseconds."""
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        return {
            name: round(1000 * percentile(self.latencies_s, share), 2)
            for name, share in shares.items()
        }

    def cpu_ms(self) -> dict[str, float]:
        """CPU milliseconds per payment of each process and of all that is Headgate."""
        each = {name: 1000 * used / self.payments for name, used in self.cpu_s.items()}
        each["Headgate"] = sum(used for name, used in each.items() if name not in APART)
        known = each["Headgate"] + each["load generator"] + each["webhook receiver"]
        each["others"] = max(0.0, each.pop("machine") - known)
        return {name: round(used, 3) for name, used in each.items()}

    def as_json(self) -> str:
        """One JSON document."""
        document: dict[str, Any] = {
            "machine": {"cpus": os.cpu_count(), "platform": platform.platform()},
            "payments": self.payments,
            "connections": self.connections,
            "rate": self.rate,
            "accepted": self.accepted,
            "statuses": self.statuses,
            "settled_per_s": self.per_second(self.settled_s),
            "delivered_per_s": self.per_second(self.delivered_s),
            "webhook_repeats": self.repeats,
            "accept_ms": self.accept_ms(),
            "cpu_ms_per_payment": self.cpu_ms(),
        }
        return json.dumps(document, indent=2)

    def as_table(self) -> str:
        """The same for people."""
        pace = f"at {self.rate:g}/s" if self.rate else "at once"
        head = f"{self.payments} payments {pace} over {self.connections} connections"
        rows = [
            ("accepted", f"{self.accepted}   {self.statuses}"),
            ("settled", f"{self.per_second(self.settled_s)} payments/s"),
            ("delivered", f"{self.per_second(self.delivered_s)} payments/s"),
            ("webhooks repeated", str(self.repeats)),
            ("accept, ms", "   ".join(f"{name} {ms}" for name, ms in self.accept_ms().items())),
            ("", ""),
            ("CPU-ms per payment", ""),
            *((f"  {name}", f"{ms:.3f}") for name, ms in self.cpu_ms().items()),
        ]
        return "\n".join([head, *(f"{name:20} {value}".rstrip() for name, value in rows)])
