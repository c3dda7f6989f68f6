"""The addresses that webhooks must not go to, against forged requests (04 §10)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from headgate.streams.targets import Address

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


def is_loopback(address: Address) -> bool:
    """127.0.0.0/8 and ::1, and no other spelling of them."""
    return any(address in network for network in _LOOPBACK)


def check_address(address: Address, *, allow_loopback: bool = False) -> str | None:
    """Why nothing may be sent to this address, or None when it is public.

    `ipaddress.is_global` is not enough: it calls NAT64, 6to4 and multicast global (04 §10.1).
    `allow_loopback` lifts the ban on loopback and on nothing else.
    """
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
