"""Tests of smfd.net.tls, on connections in memory."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from ssl import (
    CERT_NONE,
    PROTOCOL_TLS_CLIENT,
    MemoryBIO,
    SSLContext,
    SSLObject,
    SSLSession,
    SSLWantReadError,
)

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smfd.net.tls import Clients, Pair, ServerTLS, make_self_signed


def shake(server: SSL.Connection, context: SSL.Context) -> SSL.Connection:
    """Have a handshake, and hear a word."""
    client = SSL.Connection(context, None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    server.send(b"hello")
    client.bio_write(server.bio_read(65536))
    assert client.recv(100) == b"hello"
    return client


def resume(
    server: SSL.Connection, context: SSLContext, session: SSLSession | None
) -> SSLObject:
    """The same with a client of another make, which knows of tickets."""
    heard, said = MemoryBIO(), MemoryBIO()
    client = context.wrap_bio(heard, said, session=session)
    server.set_accept_state()
    for _ in range(4):
        with contextlib.suppress(SSLWantReadError):
            client.do_handshake()
        if said.pending:
            server.bio_write(said.read())
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            heard.write(server.bio_read(65536))
    server.send(b"hello")
    heard.write(server.bio_read(65536))
    assert client.read(100) == b"hello"
    return client


class ServerTLSTests(SynchronousTestCase):
    """TLS for those who come to us."""

    def setUp(self) -> None:
        home = Path(self.mktemp())
        home.mkdir()
        self.certificate, self.key = home / "cert.pem", home / "key.pem"
        self.renew()
        self.tls = ServerTLS(Pair(self.certificate, self.key))

    def renew(self) -> None:
        """Write another certificate."""
        certificate, key = make_self_signed("mx.test")
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)

    def server(self) -> SSL.Connection:
        """One connection."""
        return self.tls.serverConnectionForTLS(None)  # type: ignore[arg-type]

    def serial(self, client: SSL.Connection) -> int:
        """Which certificate the client saw."""
        certificate = client.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate.serial_number

    def test_modern(self) -> None:
        """TLS 1.3 with those who can, 1.2 with the others."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.assertEqual(
            "TLSv1.3", shake(self.server(), context).get_protocol_version_name()
        )
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        client = shake(self.server(), context)
        self.assertEqual("TLSv1.2", client.get_protocol_version_name())
        self.assertIn("ECDHE-ECDSA", client.get_cipher_name() or "")

    def test_old(self) -> None:
        """Nothing older than TLS 1.2 (RFC 8996)."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        self.assertRaises(SSL.Error, shake, self.server(), context)

    def test_tickets(self) -> None:
        """A client that comes again resumes its session."""
        context = SSLContext(PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = CERT_NONE
        first = resume(self.server(), context, None)
        self.assertFalse(first.session_reused)
        self.assertTrue(resume(self.server(), context, first.session).session_reused)

    def test_no_tickets(self) -> None:
        """Where clients are asked for certificates, every one is met anew."""
        self.tls = ServerTLS(Pair(self.certificate, self.key), clients=Clients())
        context = SSLContext(PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = CERT_NONE
        first = resume(self.server(), context, None)
        self.assertFalse(resume(self.server(), context, first.session).session_reused)

    def test_reload(self) -> None:
        """
        A new certificate is used from the next connection on; those that are
        open go on.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        server = self.server()
        client = shake(server, context)
        self.renew()
        self.tls.reload()
        self.assertNotEqual(
            self.serial(client), self.serial(shake(self.server(), context))
        )
        server.send(b"still here")
        client.bio_write(server.bio_read(65536))
        self.assertEqual(b"still here", client.recv(100))

    def test_broken_files(self) -> None:
        """Files that cannot be used raise, and the old ones stay."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        before = self.serial(shake(self.server(), context))
        self.key.write_bytes(make_self_signed("other.test")[1])
        self.assertRaises(SSL.Error, self.tls.reload)
        self.certificate.write_bytes(b"nonsense")
        self.assertRaises(SSL.Error, self.tls.reload)
        self.assertEqual(before, self.serial(shake(self.server(), context)))
        self.assertRaises(SSL.Error, ServerTLS, Pair(self.certificate, self.key))


class SelfSignedTests(SynchronousTestCase):
    """The certificate of a host that has none yet."""

    def test_made(self) -> None:
        """ECDSA on P-256, valid now, for the whole name."""
        name = "a-very-long-name." + "x" * 60 + ".example"
        for hostname in ("mx.example", name):
            certificate = x509.load_pem_x509_certificate(make_self_signed(hostname)[0])
            key = certificate.public_key()
            assert isinstance(key, ec.EllipticCurvePublicKey)
            self.assertEqual("secp256r1", key.curve.name)
            names = certificate.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            ).value
            self.assertEqual([hostname], names.get_values_for_type(x509.DNSName))
            now = datetime.now(UTC)
            self.assertLess(certificate.not_valid_before_utc, now)
            self.assertGreater(certificate.not_valid_after_utc, now)
