"""TLS to receivers: the certificate must be for the name in the URL, and be trusted."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headgate.streams.outbound.transport import PinnedTransport
from headgate.streams.settings import Settings
from tests.unit.outbound_receiver import OK, answering, fails, post, receiver

NAME = "hooks.example.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for NAME, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> PinnedTransport:
    """A way out that trusts the certificate, and finds every name on this machine."""
    return way_out(ssl.create_default_context(cafile=str(certificate)))


def way_out(tls: ssl.SSLContext | None) -> PinnedTransport:
    return PinnedTransport(Settings(webhook_allow_loopback=True), tls=tls, lookup=local)


async def local(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def at(url: str, name: str) -> str:
    return url.replace("http:", "https:").replace("127.0.0.1", name)


async def test_a_trusted_certificate_for_the_name_is_accepted_and_the_connection_kept(
    server_tls: ssl.SSLContext, trusting: PinnedTransport
) -> None:
    async with receiver(answering(OK), server_tls) as there, trusting:
        for _ in range(3):
            assert (await post(trusting, at(there.url, NAME))).status == 200
        assert there.connections == 1


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.1"])
async def test_a_certificate_for_another_name_is_refused(
    server_tls: ssl.SSLContext, trusting: PinnedTransport, name: str
) -> None:
    async with receiver(answering(OK), server_tls) as there, trusting:
        reason = await fails(trusting, at(there.url, name), "tls")
        assert "certificate" in reason
        assert name in reason
    assert not there.requests


async def test_a_certificate_of_nobody_is_refused(server_tls: ssl.SSLContext) -> None:
    async with receiver(answering(OK), server_tls) as there, way_out(None) as suspicious:
        assert "self" in await fails(suspicious, at(there.url, NAME), "tls")
    assert not there.requests


async def test_verification_and_a_modern_protocol_are_the_default() -> None:
    """04 §10.9."""
    async with way_out(None) as default:
        assert default._tls.minimum_version == ssl.TLSVersion.TLSv1_2
        assert default._tls.verify_mode == ssl.CERT_REQUIRED
        assert default._tls.check_hostname


async def test_a_receiver_that_never_answers_the_handshake_is_a_failure(
    trusting: PinnedTransport,
) -> None:
    async with receiver(answering(b"")) as there, trusting:
        reason = await fails(trusting, at(there.url, NAME), "connect_timeout", 200)
        assert "in time" in reason
    assert not there.requests


async def test_a_receiver_that_speaks_no_tls_is_a_failure(trusting: PinnedTransport) -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server, trusting:
        url = f"https://{NAME}:{server.sockets[0].getsockname()[1]}/"
        assert "TLS" in await fails(trusting, url, "tls")
