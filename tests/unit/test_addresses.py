"""The filter of addresses: nothing inside a network is reachable through a webhook."""

# ruff: noqa: SIM905, S104 - tables of words read best as text, and strange letters and
# addresses are what is tested.

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.sinks import Sinks

SINKS, LOCAL = Sinks(), Sinks(allow_loopback=True)

DENIED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 169.254.42.42 172.16.0.1
172.31.255.255 192.0.0.1 192.0.0.9 192.0.0.10 192.0.0.170 192.0.0.192 192.0.2.1 192.31.196.1
192.52.193.1 192.88.99.3 192.168.0.1 192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 233.252.0.16 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1 64:ff9b:1::1 100::1
2001::1 2001:0:a9fe:a9fe::1 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1
2001:30::1 2001:db8::1 2002:a9fe:a9fe::1 2002:7f00:1:: 2002:808:808::1 2620:4f:8000::1 3ffe::1
100:0:0:1::1 3fff::1 3fff:fff::1 5f00::1 4000::1 8000::1 e000::1 fc00::1 fd00:ec2::254 fd20:ce::254
fd00:42::42 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1 2600:1f18::5efe:a00:1 2600:1f18::200:5efe:a00:1
fe80::1%eth0 2606:4700::1111%1 not-an-address 127.1
""".split()

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255
192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 203.0.114.0
223.255.255.255 2000::1 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 2620:4f:8001::1
2a00:1450:4001::1 3ffd::1 3fff:1000::1
""".split()


@pytest.mark.parametrize("address", DENIED)
def test_addresses_that_are_not_public_are_denied(address: str) -> None:
    assert SINKS.why_not(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed_up_to_the_edges_of_the_ranges(address: str) -> None:
    assert SINKS.why_not(address) is None


def test_the_table_is_as_long_as_was_asked() -> None:
    """04 §11: at least 60 addresses."""
    assert len(set(DENIED)) >= 60


@given(st.ip_addresses())
def test_what_python_does_not_call_global_is_denied(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if not address.is_global:
        assert SINKS.why_not(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_ipv6_is_denied_and_named(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    carriers = {
        "IPv4-mapped": 0xFFFF << 32 | number,
        "NAT64": 0x64FF9B << 96 | number,
        "6to4": 0x2002 << 112 | number << 80,
        "Teredo": 0x20010000 << 96 | number ^ 0xFFFFFFFF,
        "ISATAP": 0x2A00 << 112 | 0x5EFE << 32 | number,
    }
    for name, carrier in carriers.items():
        assert (SINKS.why_not(ipaddress.IPv6Address(carrier)) or "").startswith(
            f"{name} of {inner}"
        )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_lifted_when_asked(address: str) -> None:
    assert SINKS.why_not(address)
    assert LOCAL.why_not(address) is None


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "::ffff:127.0.0.1", "10.0.0.1", "64:ff9b::7f00:1"]
)
def test_nothing_but_loopback_is_lifted(address: str) -> None:
    assert LOCAL.why_not(address)
