"""
Unbound on loopback, with zones that it checks by DNSSEC.

It serves the zones to itself and believes the keys that they are signed with;
a zone without keys is one that nobody signed.
"""

import os
import socket
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.zone
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import ec

_CONFIGURATION = """
server:
  directory: "{home}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  interface: 127.0.0.1
  port: {port}
  access-control: 127.0.0.0/8 allow
  do-ip6: no
  module-config: "validator iterator"
  qname-minimisation: no
  harden-below-nxdomain: no
  cache-max-ttl: 5
  val-bogus-ttl: 1
  local-zone: "test." nodefault
remote-control:
  control-enable: no
"""

_ZONE = """
auth-zone:
  name: "{name}"
  zonefile: "{path}"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
"""


@frozen
class Zone:
    """
    A zone.

    @ivar records: as a zone file has them; Unbound itself reads those that are not
        signed.
    @ivar signed: by keys that are believed.
    @ivar days: until when the signatures are good, counted from now.
    """

    records: str
    signed: bool = True
    days: float = 10


class Unbound:
    """A resolver that validates; it runs from C{start} to C{stop}."""

    def __init__(self, home: Path, zones: Mapping[str, Zone]) -> None:
        self._home = home
        self._zones = zones
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Write the zones, and run it; return when it answers."""
        self._home.mkdir(parents=True)
        self.port = _free_port()
        text = _CONFIGURATION.format(home=self._home, port=self.port)
        anchors: list[str] = []
        zones = ""
        for name, zone in self._zones.items():
            path = self._home / f"{name.strip('.') or 'root'}.zone"
            path.write_text(_written(name, zone, anchors))
            zones += _ZONE.format(name=name, path=path)
        for anchor in anchors:
            text += f'server:\n  trust-anchor: "{anchor}"\n'
        unsigned = [name for name, zone in self._zones.items() if not zone.signed]
        for name in unsigned:
            text += f'server:\n  domain-insecure: "{name}"\n'
        configuration = self._home / "unbound.conf"
        configuration.write_text(text + zones)
        self._process = subprocess.Popen(
            ["unbound", "-d", "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=(self._home / "log").open("wb"),
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )
        self._await()

    def _await(self) -> None:
        assert self._process is not None
        for _ in range(200):
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError((self._home / "log").read_text())

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _written(name: str, zone: Zone, anchors: list[str]) -> str:
    """The zone file; its key goes to the anchors."""
    top = "$TTL 60\n@ SOA ns root 1 3600 600 86400 5\n@ NS ns\nns A 127.0.0.1\n"
    if not zone.signed:
        return f"$ORIGIN {name.strip('.')}.\n{top}{zone.records}"
    parsed = dns.zone.from_text(top + zone.records, origin=name, relativize=False)
    _sign(parsed, zone.days, anchors)
    return parsed.to_text(relativize=False)


def _sign(zone: dns.zone.Zone, days: float, anchors: list[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # A key that signs keys and all else.
    dnskey = dns.dnssec.make_dnskey(key.public_key(), "ECDSAP256SHA256", flags=257)
    now = datetime.now(UTC)
    dns.dnssec.sign_zone(
        zone,
        keys=[(key, dnskey)],
        inception=now - timedelta(days=30),
        expiration=now + timedelta(days=days),
        dnskey_ttl=60,
    )
    assert zone.origin is not None
    anchors.append(f"{zone.origin} 60 IN DNSKEY {dnskey.to_text()}")
