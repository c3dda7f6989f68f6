"""Where this installation lets webhooks go: the rules for every URL and address, and its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

from headgate.streams.addresses import check_address, is_loopback
from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.settings import Settings
from headgate.streams.settings_of_webhooks import words
from headgate.streams.targets import Address, Target, parse_url

_FIRST_FREE_PORT = 1024

_PORT_NAMES: dict[str, str] = {
    # Ports from 1024 that are well known for something other than the web (08 R34). A signed
    # POST to one of them may be taken for a command, or shows which services a network has.
    "proxy": "1080 3128 9050",
    "database": "1433 1434 1521 1526 2483 2484 3050 3306 5432 5433 5984 6432 7474 7687 8086 "
    "8529 9042 9160 26257 27017 27018 27019 28015 28017 33060 50000",
    "cache": "6379 6380 11211 16379 26379",
    "search": "9200 9300",
    "queue": "1883 4222 5671 5672 8883 9092 9093 9094 15672 61613 61616",
    "coordination": "2181 2379 2380 2888 3888 4369 8300 8301 8302 8500 8600",
    "cluster control": "2375 2376 2377 4505 4506 6443 10250 10255 10256",
    "application server": "1099 8009",
    "network control": "1194 1645 1646 1701 1812 1813 1900 5353 5355",
    "remote access": "2222 3389 5555 5900 5901 5902 5903 5985 5986 6000 6001 6002 6003",
    "file sharing": "2049 3260 3690 4045 9418",
    "mail": "2525 3659 4190",
    "telephony and chat": "1719 1720 1723 5060 5061 5222 5269 6566 6665 6666 6667 6668 6669 6679 "
    "6697",
    "directory": "3268 3269",
    "monitoring": "4949 5666 7199 8125 9100 10050 10051 10080 24224",
}
_DENIED_PORTS = {int(port): name for name, ports in _PORT_NAMES.items() for port in ports.split()}

_LOCAL_NAMES = (".localhost", ".localdomain", ".local", ".internal", ".intranet", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Sinks:
    """The filter that every webhook passes twice: its URL when it is set and sent, every address
    of its name when it is connected to (04 §10). Hashable, so that verdicts can be remembered."""

    allow_loopback: bool = False
    """Admits this machine on ports from 1024; for development."""
    own_hosts: frozenset[str] = field(default_factory=frozenset)
    """Names under which this gateway is reached: a webhook to itself would never end."""
    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of the operator's own that would be refused."""
    denied: tuple[IPv4Network | IPv6Network, ...] = ()
    """Further networks that nothing may be sent to; they win over `allowed`."""
    only: str | None = None
    """The one origin that a scratch namespace sends to, empty for none (08 R35); None: any."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The sinks of this process. The settings have been validated."""
        return cls(
            # In a scratch namespace `only` says which one receiver of this machine is meant.
            settings.webhook_allow_loopback or settings.scratch,
            frozenset(words(settings.webhook_own_hosts.lower())),
            tuple(map(ip_network, words(settings.webhook_networks_allowed))),
            tuple(map(ip_network, words(settings.webhook_networks_denied))),
            settings.scratch_sink if settings.scratch else None,
        )

    def check_url(self, url: str, *, livemode: bool = False) -> Target:
        """Refuse a URL that webhooks must not be sent to, before any name is looked up.

        Raises WebhookUrlForbidden with a sentence for the merchant. What the name resolves to is
        checked again on every connection. `livemode` asks for https and a name instead of an
        address (04 §10.4).
        """
        target = parse_url(url)
        if self.only is not None:
            _check_own(target, self.only)
        if livemode and target.scheme != "https":
            raise WebhookUrlForbidden("In live mode the webhook URL must begin with https://.")
        if livemode and target.address is not None:
            raise WebhookUrlForbidden(
                "In live mode the webhook URL must name a host, not an address."
            )
        local = self.allow_loopback and _names_loopback(target)
        if not local:
            self._check_host(target)
        _check_port(target.port, any_free_port=local)
        return target

    def why_not(self, address: Address | str) -> str | None:
        """Why nothing may be sent to this address, or None when something may."""
        if isinstance(address, str):
            try:
                address = ip_address(address)
            except ValueError:
                return "not an IP address"
        if any(address in network for network in self.denied):
            return "not reachable from here"
        if any(address in network for network in self.allowed):
            return None
        return check_address(address, allow_loopback=self.allow_loopback)

    def _check_host(self, target: Target) -> None:
        host = target.host
        if target.address is not None:
            reason = self.why_not(target.address)
            if reason:
                raise WebhookUrlForbidden(
                    f"Webhooks cannot be sent to {host}: {reason}.{_development(target)}"
                )
        elif _names_loopback(target) or host.endswith(_LOCAL_NAMES) or "." not in host:
            raise WebhookUrlForbidden(
                f"Webhooks cannot be sent to {host!r}: the host must be a public name, such as "
                f"hooks.example.com.{_development(target)}"
            )
        elif host in self.own_hosts:
            raise WebhookUrlForbidden(
                f"Webhooks cannot be sent to {host}: that is this gateway itself."
            )


def _names_loopback(target: Target) -> bool:
    """Whether a URL says by itself that it means this machine."""
    if target.address is not None:
        return is_loopback(target.address)
    return target.host == "localhost" or target.host.endswith(".localhost")


def _check_own(target: Target, only: str) -> None:
    """08 R35: a scratch namespace, whose rows may be copies of real ones, reaches no merchant."""
    own = parse_url(only) if only else None
    if own is None or (own.scheme, own.authority) != (target.scheme, target.authority):
        raise WebhookUrlForbidden(
            "This is a scratch namespace: webhooks go to its own receiver only, which "
            + (f"is {only}." if only else "HEADGATE_SCRATCH_SINK names; it names none.")
        )


def _development(target: Target) -> str:
    if not _names_loopback(target):
        return ""
    return " For local development start Headgate with HEADGATE_WEBHOOK_ALLOW_LOOPBACK=true."


def _check_port(port: int, *, any_free_port: bool) -> None:
    if port < _FIRST_FREE_PORT and port not in (80, 443):
        raise WebhookUrlForbidden(
            f"Webhooks cannot be sent to port {port}; use 443, 80 or a port from 1024."
        )
    if port in _DENIED_PORTS and not any_free_port:
        raise WebhookUrlForbidden(
            f"Webhooks cannot be sent to port {port}, which is well known for another purpose "
            f"({_DENIED_PORTS[port]}); use 443, 80 or 8443."
        )
