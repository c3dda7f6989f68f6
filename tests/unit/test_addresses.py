"""The filter of addresses and URLs: nothing inside a network is reachable through a webhook."""

# ruff: noqa: SIM905, RUF001, S104 - tables of words read best as text, and strange letters and
# addresses are what is tested.

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.addresses import check_address, check_url
from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.targets import parse_url

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
    assert check_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed_up_to_the_edges_of_the_ranges(address: str) -> None:
    assert check_address(address) is None


def test_the_table_is_as_long_as_was_asked() -> None:
    """04 §11: at least 60 addresses."""
    assert len(set(DENIED)) >= 60


@given(st.ip_addresses())
def test_what_python_does_not_call_global_is_denied(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if not address.is_global:
        assert check_address(address)


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
        assert (check_address(ipaddress.IPv6Address(carrier)) or "").startswith(
            f"{name} of {inner}"
        )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_lifted_when_asked(address: str) -> None:
    assert check_address(address)
    assert check_address(address, allow_loopback=True) is None


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "::ffff:127.0.0.1", "10.0.0.1", "64:ff9b::7f00:1"]
)
def test_nothing_but_loopback_is_lifted(address: str) -> None:
    assert check_address(address, allow_loopback=True)


ALLOWED_URLS = """
https://hooks.example.com/ https://hooks.example.com http://hooks.example.com/a?b=c#d
https://HOOKS.Example.COM./x https://example.com:443/ http://example.com:80/ https://example.com:8443
https://example.com:1024 https://example.com:9000 https://a_b.example.com https://bücher.example/
https://xn--bcher-kva.example/ https://8.8.8.8/ https://[2606:4700::1111]/ https://1.example.com/
HTTPS://example.com https://example.com?x=http://10.0.0.1/ https://0x7f.example.com/
https://example.com/☂ https://example.com/@user
""".split()


@pytest.mark.parametrize("url", ALLOWED_URLS)
def test_public_urls_are_allowed(url: str) -> None:
    check_url(url, allow_loopback=False)


FORBIDDEN_URLS = [
    # another scheme, or none
    ("ftp://example.com/", "must begin with"),
    ("file:///etc/passwd", "must begin with"),
    ("gopher://example.com/", "must begin with"),
    ("javascript:alert(1)", "must begin with"),
    ("example.com/hook", "must begin with"),
    ("//example.com/hook", "must begin with"),
    ("http:/example.com", "must begin with"),
    ("", "must begin with"),
    # a user name
    ("https://user:password@example.com/", "user name or password"),
    ("https://example.com@127.0.0.1/", "user name or password"),
    ("https://@example.com/", "user name or password"),
    # characters that parsers read in different ways
    ("https://example.com\\@127.0.0.1/", "backslash"),
    ("https://example.com/a b", "space"),
    (" https://example.com/", "space"),
    ("https://example.com/\r\nX-Injected: 1", "control character"),
    ("https://example.com/\x00", "control character"),
    ("https://example.com/\ud800", "control character"),
    ("https://exam\u202eple.com/", "control character"),
    # no host, or not a host
    ("https://", "no valid host"),
    ("https:///path", "no valid host"),
    ("https://:443/", "no valid host"),
    ("https://example.com:/", "no valid host"),
    ("https://example.com:80:80/", "no valid host"),
    ("https://example.com:http/", "no valid host"),
    ("https://[::1", "no valid host"),
    ("https://[::1]x/", "no valid host"),
    ("https://[example.com]/", "not an IPv6 address"),
    ("https://[fe80::1%25eth0]/", "not an IPv6 address"),
    ("https://.../", "not a valid host"),
    ("https://example..com/", "not a valid host"),
    ("https://example.com../", "not a valid host"),
    ("https://-example.com/", "not a valid host"),
    ("https://%31%32%37.0.0.1/", "not a valid host"),
    ("https://" + "a" * 64 + ".com/", "not a valid host"),
    ("https://" + "a." * 130 + "com/", "253"),
    ("https://\u2488com/", "not a valid host"),
    ("https://example.com/" + "a" * 2029, "2048 are allowed"),
    # this machine and this network, by name
    ("http://localhost/", "HEADGATE_WEBHOOK_ALLOW_LOOPBACK"),
    ("http://LOCALHOST./", "HEADGATE_WEBHOOK_ALLOW_LOOPBACK"),
    ("http://ｌocalhost/", "HEADGATE_WEBHOOK_ALLOW_LOOPBACK"),
    ("http://foo.localhost/", "must be a public name"),
    ("http://printer.local/", "must be a public name"),
    ("http://metadata.google.internal/", "must be a public name"),
    ("http://redis:9000/", "must be a public name"),
    # this machine and this network, by address, in every spelling
    ("http://127.0.0.1/", "HEADGATE_WEBHOOK_ALLOW_LOOPBACK"),
    ("http://127.0.0.1./", "loopback"),
    ("http://10.1.2.3/", "private network"),
    ("http://169.254.169.254/latest/meta-data", "metadata"),
    ("http://[::1]/", "loopback"),
    ("http://[::ffff:127.0.0.1]/", "IPv4-mapped of 127.0.0.1 .loopback"),
    ("http://[fd00:ec2::254]/", "metadata"),
    ("http://0x7f.1/", "stands for 127.0.0.1"),
    ("http://0x7f000001/", "stands for 127.0.0.1"),
    ("http://2130706433/", "stands for 127.0.0.1"),
    ("http://017700000001/", "stands for 127.0.0.1"),
    ("http://0177.0.0.1/", "stands for 127.0.0.1"),
    ("http://127.1/", "stands for 127.0.0.1"),
    ("http://0/", "stands for 0.0.0.0"),
    ("http://127.0.0.1.1/", "four decimal numbers"),
    ("http://1.2.3.999/", "four decimal numbers"),
    ("http://example.0x7f/", "four decimal numbers"),
    ("http://１２７.0.0.1/", "loopback"),
    ("http://①②⑦.⓪.⓪.①/", "loopback"),
    ("http://127。0。0。1/", "loopback"),
    # ports (08 R34)
    ("https://example.com:0/", "ports are 1 to 65535"),
    ("https://example.com:65536/", "ports are 1 to 65535"),
    ("https://example.com:22/", "port 22"),
    ("https://example.com:25/", "port 25"),
    ("https://example.com:1023/", "port 1023"),
    ("https://example.com:5432/", "port 5432.*database"),
    ("https://example.com:6379/", "port 6379.*cache"),
    ("https://example.com:9092/", "port 9092.*queue"),
    ("https://example.com:3389/", "port 3389.*remote access"),
]


@pytest.mark.parametrize(("url", "words"), FORBIDDEN_URLS)
def test_forbidden_urls_are_refused_with_a_sentence(url: str, words: str) -> None:
    """04 §10.4, 08 R34."""
    with pytest.raises(WebhookUrlForbidden, match=words):
        check_url(url, allow_loopback=False)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(WebhookUrlForbidden) as caught:
        check_url("https://user:hunter2@example.com/", allow_loopback=False)
    assert "hunter2" not in str(caught.value)


LOOPBACK_URLS = """
http://127.0.0.1:9000/ http://localhost:9000/ http://[::1]:9000/ http://app.localhost:5432/
http://localhost/ http://127.0.0.1:6379/hook
""".split()


@pytest.mark.parametrize("url", LOOPBACK_URLS)
def test_local_development_may_use_this_machine_on_any_free_port(url: str) -> None:
    check_url(url, allow_loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:22/",
        "http://2130706433/",
        "http://0.0.0.0:9000/",
        "http://[::ffff:127.0.0.1]:9000/",
        "http://10.0.0.1:9000/",
        "http://redis:9000/",
        "http://example.com:5432/",
        "ftp://localhost/",
    ],
)
def test_local_development_lifts_nothing_else(url: str) -> None:
    with pytest.raises(WebhookUrlForbidden):
        check_url(url, allow_loopback=True)


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://8.8.8.8/", "https://[2606:4700::1]/"]
)
def test_live_mode_asks_for_https_and_a_name(url: str) -> None:
    """04 §10.4."""
    check_url(url, allow_loopback=False)
    with pytest.raises(WebhookUrlForbidden, match="live mode"):
        check_url(url, allow_loopback=False, livemode=True)
    check_url("https://example.com/", allow_loopback=False, livemode=True)


def test_a_url_is_taken_apart_as_it_will_be_sent() -> None:
    target = parse_url("https://BÜCHER.example.:8443?a=ü&b=%20#part")
    assert target.host == "xn--bcher-kva.example"
    assert target.port == 8443
    assert target.path == "/?a=%C3%BC&b=%20"
    assert target.authority == "xn--bcher-kva.example:8443"
    assert parse_url("http://[2606:4700::1111]/").authority == "[2606:4700::1111]"
    assert parse_url("https://example.com").path == "/"


@given(st.text(max_size=80))
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"http://example.com/{text}"):
        try:
            target = parse_url(url)
        except WebhookUrlForbidden:
            continue
        assert (target.host + target.path).isascii()
        assert not set("\r\n ") & set(target.host + target.path)
