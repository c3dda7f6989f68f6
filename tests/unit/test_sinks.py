"""The filter of URLs: what is refused before any name is looked up, and in which words."""

# ruff: noqa: SIM905, RUF001 - tables of words read best as text, and strange letters are tested.

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headgate.streams.errors import WebhookUrlForbidden
from headgate.streams.settings import Settings
from headgate.streams.sinks import Sinks
from headgate.streams.targets import parse_url

SINKS, LOCAL = Sinks(), Sinks(allow_loopback=True)

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
    SINKS.check_url(url)


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


BAD_PORTS = """
1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115
117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563
587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667
6668 6669 6679 6697 10080
""".split()
"""The ports that browsers refuse, from the Fetch standard."""
OTHERS = """
1433 1521 1883 2181 2375 2379 3306 3389 5432 5672 5900 6379 6443 8009 9042 9092 9200 9300 10250
11211 27017 50000
""".split()
"""Databases, caches, queues and the like."""


@pytest.mark.parametrize("port", [*BAD_PORTS, *OTHERS])
def test_a_port_that_is_known_for_something_else_is_refused(port: str) -> None:
    """08 R34."""
    with pytest.raises(WebhookUrlForbidden, match=f"port {port}"):
        SINKS.check_url(f"https://example.com:{port}/")


@pytest.mark.parametrize("port", "80 443 3000 4000 5000 7777 8000 8008 8080 8443 8888 9000".split())
def test_a_port_that_web_servers_use_is_allowed(port: str) -> None:
    SINKS.check_url(f"https://example.com:{port}/")


@pytest.mark.parametrize(("url", "words"), FORBIDDEN_URLS)
def test_forbidden_urls_are_refused_with_a_sentence(url: str, words: str) -> None:
    """04 §10.4, 08 R34."""
    with pytest.raises(WebhookUrlForbidden, match=words):
        SINKS.check_url(url)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(WebhookUrlForbidden) as caught:
        SINKS.check_url("https://user:hunter2@example.com/")
    assert "hunter2" not in str(caught.value)


LOOPBACK_URLS = """
http://127.0.0.1:9000/ http://localhost:9000/ http://[::1]:9000/ http://app.localhost:5432/
http://localhost/ http://127.0.0.1:6379/hook
""".split()


@pytest.mark.parametrize("url", LOOPBACK_URLS)
def test_local_development_may_use_this_machine_on_any_free_port(url: str) -> None:
    LOCAL.check_url(url)


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
        LOCAL.check_url(url)


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://8.8.8.8/", "https://[2606:4700::1]/"]
)
def test_live_mode_asks_for_https_and_a_name(url: str) -> None:
    """04 §10.4."""
    SINKS.check_url(url)
    with pytest.raises(WebhookUrlForbidden, match="live mode"):
        SINKS.check_url(url, livemode=True)
    SINKS.check_url("https://example.com/", livemode=True)


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


def test_a_gateway_does_not_call_itself() -> None:
    """04 §10.4."""
    sinks = Sinks.of(Settings(webhook_own_hosts="Pay.example.com, api.example.com"))
    for url in ("https://pay.example.com/x", "https://API.example.com.:8443/"):
        with pytest.raises(WebhookUrlForbidden, match="this gateway itself"):
            sinks.check_url(url)
    sinks.check_url("https://shop.example.com/")


def test_an_operator_may_open_a_network_and_close_others() -> None:
    sinks = Sinks.of(
        Settings(
            webhook_networks_allowed="10.20.0.0/16, fd00:1::/64",
            webhook_networks_denied="10.20.9.0/24,93.184.0.0/16",
        )
    )
    for reachable in ("10.20.1.1", "fd00:1::5", "8.8.8.8"):
        assert sinks.why_not(reachable) is None
    for refused in ("10.20.9.1", "10.21.0.1", "93.184.215.14", "::ffff:10.20.1.1", "127.0.0.1"):
        assert sinks.why_not(refused)
    sinks.check_url("http://10.20.1.1:8080/")
    with pytest.raises(WebhookUrlForbidden, match="port 6379"):
        sinks.check_url("http://10.20.1.1:6379/")


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "10.0.0.1/8", "example.com", "10.0.0.0/8;::/0"])
def test_a_network_that_is_none_ends_the_process_at_its_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="network"):
        Settings(webhook_networks_allowed=wrong)
