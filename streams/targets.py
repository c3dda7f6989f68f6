"""Webhook URLs taken apart, strictly: whoever sends reads them as whoever checked them did."""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import quote

import idna

from headgate.streams.errors import WebhookUrlForbidden

URL_CHARACTERS_MAX = 2048
HOST_CHARACTERS_MAX = 253

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^#]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


Address = IPv4Address | IPv6Address


class Target(NamedTuple):
    """A webhook URL taken apart: host lower-case in ASCII, port always set, path with its query,
    and the address when the host is one."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def authority(self) -> str:
        """What the `Host` header says: the host, and the port when it is not the scheme's own."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def resource(self) -> str:
        """What tells receivers on one machine apart: host, port and path, without the query."""
        return f"{self.host}:{self.port}{self.path.partition('?')[0]}"


@lru_cache(maxsize=4096)
def parse_url(url: str) -> Target:
    """Take a webhook URL apart. Raises WebhookUrlForbidden with a sentence for the merchant."""
    if len(url) > URL_CHARACTERS_MAX:
        raise WebhookUrlForbidden(
            f"The webhook URL has {len(url)} characters; {URL_CHARACTERS_MAX} are allowed."
        )
    if not url.isprintable() or " " in url or "\\" in url:
        raise WebhookUrlForbidden(
            "The webhook URL has a space, a control character or a backslash; percent-encode it."
        )
    parts = _URL.match(url)
    if parts is None:
        raise WebhookUrlForbidden("The webhook URL must begin with https:// or http://.")
    if "@" in parts["authority"]:
        raise WebhookUrlForbidden(
            "The webhook URL must not hold a user name or password; verify the signature instead."
        )
    scheme = parts["scheme"].lower()
    host, address, port = _read_authority(parts["authority"])
    path = quote(parts["path"], safe=_PRINTABLE)
    path = path if path.startswith("/") else "/" + path
    return Target(scheme, host, port or (443 if scheme == "https" else 80), path, address)


def _read_authority(authority: str) -> tuple[str, Address | None, int | None]:
    """Host, address if it is one, port if it is written."""
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or not parts["host"]:
        raise WebhookUrlForbidden(
            f"The webhook URL has no valid host and port: {authority[:100]!r}."
        )
    port = int(parts["port"]) if parts["port"] else None
    if port is not None and not 0 < port <= 0xFFFF:  # noqa: PLR2004
        raise WebhookUrlForbidden(f"The webhook URL names port {port}; ports are 1 to 65535.")
    if parts["host"].startswith("["):
        address = _read_v6(parts["host"][1:-1])
        return str(address), address, port
    host = _read_name(parts["host"])
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host, _read_v4(host), port
    return host, None, port


def _read_v6(text: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except ValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise WebhookUrlForbidden(f"The webhook URL names [{text[:60]}], not an IPv6 address.")
    return address


def _read_v4(host: str) -> IPv4Address:
    """Four decimal numbers only. `0x7f.1`, `2130706433` and `0177.0.0.1` reach loopback through
    a resolver, so every other spelling is refused whatever it stands for."""
    try:
        return IPv4Address(host)
    except ValueError:
        raise WebhookUrlForbidden(
            f"The webhook URL names {host!r}{_meaning(host)}; write an address as four decimal "
            "numbers, or better, use a host name."
        ) from None


def _meaning(host: str) -> str:
    try:
        return f", which stands for {IPv4Address(socket.inet_aton(host))}"
    except (OSError, ValueError):
        return ""


def _read_name(host: str) -> str:
    """The name in lower-case ASCII, without the dot that may end it."""
    if len(host) > HOST_CHARACTERS_MAX + 1:
        raise WebhookUrlForbidden(
            f"The host of the webhook URL has {len(host)} characters; {HOST_CHARACTERS_MAX} are "
            "allowed."
        )
    name = host.lower()
    if not name.isascii():
        try:
            name = idna.encode(host, uts46=True).decode()
        except UnicodeError as error:
            raise WebhookUrlForbidden(
                f"The webhook URL names {host[:100]!r}, which is not a valid host: {error}."
            ) from None
    name = name.removesuffix(".")
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise WebhookUrlForbidden(f"The webhook URL names {host[:100]!r}, not a valid host.")
    return name
