"""Who sits behind an address, as far as limits can tell them apart."""

from __future__ import annotations

import ipaddress

HOST_BITS = 64
"""What one subscriber has of IPv6: an address of it is as cheap as a port."""


def network_of(client: str) -> str:
    """The address, or the network that one subscriber has of IPv6; any other text as it is."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, HOST_BITS), strict=False))
    return client
