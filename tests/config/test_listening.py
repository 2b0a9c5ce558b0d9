"""Addresses that doors listen on, as the settings have them."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.config.fault import Unusable
from smfd.config.load import read


def told(text: str) -> str:
    """What is wrong with settings, or nothing."""
    try:
        read(text, Path("smfd.toml"))
    except Unusable as unusable:
        return "; ".join(fault.sentence for fault in unusable.faults)
    return ""


class ListeningTests(SynchronousTestCase):
    """Each door takes the addresses that make sense there."""

    def test_good(self) -> None:
        """IPv4, IPv6, systemd's; by LMTP UNIX sockets too; TLS alone is enough."""
        for text in (
            '[mx]\nlisten = ["192.0.2.1:25", "[::]:25", "systemd:mx"]',
            '[mx]\nlisten = []\nlisten_tls = ["[::1]:465"]',
            '[lmtp]\nlisten = ["unix:run/lmtp.sock", "systemd:lmtp", "[::1]:24"]',
        ):
            self.assertEqual("", told(text), text)

    def test_wrong(self) -> None:
        """LMTP never has port 25 (RFC 2033 §5); TLS needs a certificate."""
        none = '[tls]\ncertificate = ""\nkey = ""\n'
        for text, words in {
            '[lmtp]\nlisten = ["127.0.0.1:25"]': "LMTP goes elsewhere",
            '[lmtp]\nlisten = ["unix:"]': "path",
            '[mx]\nlisten = ["unix:/run/mx"]': "not an address",
            '[mx]\nlisten = ["systemd:"]': "names no socket",
            '[mx]\nlisten = ["systemd:a:b"]': "names no socket",
            "[mx]\nlisten = []": "Nobody could reach us",
            none + '[mx]\nlisten_tls = ["[::1]:465"]': "TLS needs a certificate",
            '[mx]\nlisten_tls = ["0.0.0.0:465"]': "another door",
            '[lmtp]\nlisten = ["0.0.0.0:587"]': "another door",
            '[mx]\nproxy = ["10.0.0.1/8"]': "not a network",
        }.items():
            self.assertIn(words, told(text), text)
