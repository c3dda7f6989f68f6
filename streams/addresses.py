"""Where webhooks must not go: the filter of addresses and URLs against forged requests (04 §10)."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.targets import Address, Target, parse_url

_FIRST_FREE_PORT = 1024

_DENIED_V4: dict[str, str] = {
    # IANA's registry of special-purpose IPv4 addresses, whole, then multicast and the clouds.
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private network",
    "100.64.0.0/10": "shared address space of carriers, with a cloud's metadata service",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local, with the clouds' metadata services",
    "172.16.0.0/12": "private network",
    "192.0.0.0/24": "protocol assignments, with a cloud's metadata service",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112 anycast",
    "192.52.193.0/24": "multicast tunnelling",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private network",
    "192.175.48.0/24": "AS112 anycast",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, with broadcast",
    "168.63.129.16/32": "a cloud's metadata service",
}
_DENIED_V6: dict[str, str] = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "fc00::/7": "unique local network, with the clouds' metadata services",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
    # Inside 2000::/3, the only range from which public addresses are given out:
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112 anycast",
    "3ffe::/16": "6bone, given back",
    "3fff::/20": "documentation",
}
_PUBLIC_V6 = IPv6Network("2000::/3")
_LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_CARRIERS: dict[str, tuple[str, int, int]] = {
    # IPv6 ranges that carry an IPv4 address: how far right it is, and what it is XORed with.
    "::ffff:0:0/96": ("IPv4-mapped", 0, 0),
    "::ffff:0:0:0/96": ("IPv4-translated", 0, 0),
    "::/96": ("IPv4-compatible", 0, 0),
    "64:ff9b::/96": ("NAT64", 0, 0),
    "64:ff9b:1::/48": ("NAT64", 0, 0),
    "2002::/16": ("6to4", 80, 0),
    "2001::/32": ("Teredo", 0, 0xFFFFFFFF),
}
_ISATAP = (0x00005EFE, 0x02005EFE)
"""Upper half of an interface id that tunnels to the IPv4 address in its lower half (RFC 5214)."""

_V4 = [(IPv4Network(text), name) for text, name in _DENIED_V4.items()]
_V6 = [(IPv6Network(text), name) for text, name in _DENIED_V6.items()]
_V4_IN_V6 = [(IPv6Network(text), *rest) for text, rest in _CARRIERS.items()]

_PORT_NAMES: dict[str, str] = {
    # Ports from 1024 that are well known for something other than the web (08 R34). A signed
    # POST to one of them may be taken for a command, or shows which services a network has.
    "proxy": "1080 3128",
    "database": "1433 1434 1521 1526 2483 2484 3050 3306 5432 5433 5984 6432 7474 7687 8086 "
    "8529 9042 9160 26257 27017 27018 27019 28015 28017 33060 50000",
    "cache": "6379 6380 11211 16379 26379",
    "search": "9200 9300",
    "queue": "1883 4222 5671 5672 8883 9092 9093 9094 15672 61613 61616",
    "coordination": "2181 2379 2380 2888 3888 4369 8300 8301 8302 8500 8600",
    "cluster control": "2375 2376 2377 6443 10250 10255 10256",
    "remote access": "2222 3389 5555 5900 5901 5902 5903 5985 5986 6000 6001 6002 6003",
    "file sharing": "2049 3260 4045 9418",
    "mail": "2525 4190",
    "telephony and chat": "1719 1720 1723 5060 5061 5222 5269 6566 6665 6666 6667 6668 6669 6697",
    "directory": "3268 3269",
    "monitoring": "4949 5666 7199 8125 9100 10050 10051 10080",
}
_DENIED_PORTS = {int(port): name for name, ports in _PORT_NAMES.items() for port in ports.split()}

_LOCAL_NAMES = (".localhost", ".localdomain", ".local", ".internal", ".intranet", ".home.arpa")


def is_loopback(address: Address) -> bool:
    """127.0.0.0/8 and ::1, and no other spelling of them."""
    return any(address in network for network in _LOOPBACK)


def names_loopback(target: Target) -> bool:
    """Whether a URL says by itself that it means this machine."""
    if target.address is not None:
        return is_loopback(target.address)
    return target.host == "localhost" or target.host.endswith(".localhost")


def check_address(address: Address | str, *, allow_loopback: bool = False) -> str | None:
    """Why nothing may be sent to this address, or None when it is public.

    `ipaddress.is_global` is not enough: it calls NAT64, 6to4 and multicast global (04 §10.1).
    `allow_loopback` lifts the ban on loopback and on nothing else.
    """
    if isinstance(address, str):
        try:
            address = ipaddress.ip_address(address)
        except ValueError:
            return "not an IP address"
    if allow_loopback and is_loopback(address):
        return None
    if isinstance(address, IPv4Address):
        return next((name for network, name in _V4 if address in network), None)
    return _check_v6(address)


def _check_v6(address: IPv6Address) -> str | None:
    if address.scope_id is not None:
        return "bound to one network interface"
    for network, name in _V6:
        if address in network and network.prefixlen == network.max_prefixlen:
            return name
    for carrier, inner in _carried(address):
        reason = check_address(inner)
        return f"{carrier} of {inner}" + (f" ({reason})" if reason else "")
    for network, name in _V6:
        if address in network:
            return name
    return None if address in _PUBLIC_V6 else "outside the public range 2000::/3"


def _carried(address: IPv6Address) -> list[tuple[str, IPv4Address]]:
    """The IPv4 address that an IPv6 address carries, with the name of the way it is carried."""
    number = int(address)
    for network, name, shift, mask in _V4_IN_V6:
        if address in network:
            return [(name, IPv4Address((number >> shift & 0xFFFFFFFF) ^ mask))]
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        return [("ISATAP", IPv4Address(number & 0xFFFFFFFF))]
    return []


def check_url(url: str, *, allow_loopback: bool, livemode: bool = False) -> None:
    """Refuse a URL that webhooks must not be sent to, before any name is looked up.

    Raises WebhookUrlForbidden with a sentence for the merchant. What the name resolves to is
    checked again on every connection. `allow_loopback` admits this machine on ports from 1024;
    `livemode` asks for https and a name instead of an address (04 §10.4).
    """
    target = parse_url(url)
    if livemode and target.scheme != "https":
        raise WebhookUrlForbidden("In live mode the webhook URL must begin with https://.")
    if livemode and target.address is not None:
        raise WebhookUrlForbidden("In live mode the webhook URL must name a host, not an address.")
    local = allow_loopback and names_loopback(target)
    if not local:
        _check_host(target)
    _check_port(target.port, any_free_port=local)


def _check_host(target: Target) -> None:
    if target.address is not None:
        reason = check_address(target.address)
        if reason:
            raise WebhookUrlForbidden(
                f"Webhooks cannot be sent to {target.host}: {reason}.{_development(target)}"
            )
    elif names_loopback(target) or target.host.endswith(_LOCAL_NAMES) or "." not in target.host:
        raise WebhookUrlForbidden(
            f"Webhooks cannot be sent to {target.host!r}: the host must be a public name, such as "
            f"hooks.example.com.{_development(target)}"
        )


def _development(target: Target) -> str:
    if not names_loopback(target):
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
