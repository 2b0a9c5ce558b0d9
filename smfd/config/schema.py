"""
Every setting, declared once.

The loader, the sample file, the manual and C{smfdctl config describe} are made
from it.  A path that does not begin with C{/} is relative to the home.
"""

import socket
from collections.abc import Mapping
from pathlib import Path

from attrs import Factory, frozen

from smfd.config.arc import ARC
from smfd.config.bounce import Bounce
from smfd.config.dkim import DKIM
from smfd.config.doors import LMTP, MX, TLS, Control, Log, Server, Store
from smfd.config.judging import BUILTIN, DNS, Content, Scan, Virus
from smfd.config.limits import Limits
from smfd.config.onward import Onward
from smfd.config.queue import Queue
from smfd.config.quota import Quota
from smfd.config.recipients import Recipients
from smfd.config.relay import Relay
from smfd.config.reputation import Reputation
from smfd.config.setting import setting, table
from smfd.config.shipped import shipped
from smfd.config.source import Source
from smfd.config.submission import Login, Submission
from smfd.config.tls_out import TLSOut


@frozen
class Config:
    """
    All settings, as loaded.

    @ivar path: the file they came from, absolute.
    """

    path: Path
    server: Server = table(Server)
    mx: MX = table(MX)
    limits: Limits = table(Limits)
    submission: Submission = table(Submission)
    login: Login = table(Login)
    quota: Quota = table(Quota)
    recipients: Recipients = table(Recipients)
    source: Source = table(Source)
    lmtp: LMTP = table(LMTP)
    tls: TLS = table(TLS)
    store: Store = table(Store)
    scan: Scan = table(Scan)
    virus: Virus = table(Virus)
    dns: DNS = table(DNS)
    content: Content = table(Content)
    scores: Mapping[str, float] = setting(
        "Scores of symbols, instead of those the rules and stages give: "
        "a symbol and a number, as many as you like.",
        Factory(dict),
        low=-1000,
        high=1000,
        example="SPF_FAIL = 2.5",
    )
    dkim: DKIM = table(DKIM)
    arc: ARC = table(ARC)
    onward: Onward = table(Onward)
    relay: Relay = table(Relay)
    tls_out: TLSOut = table(TLSOut)
    queue: Queue = table(Queue)
    bounce: Bounce = table(Bounce)
    reputation: Reputation = table(Reputation)
    log: Log = table(Log)
    control: Control = table(Control)

    @property
    def home(self) -> Path:
        """The folder with everything we keep, absolute."""
        return self.path.parent / self.server.home

    @property
    def hostname(self) -> str:
        """What we call ourselves."""
        return self.server.hostname.rstrip(".").lower() or socket.gethostname()

    def resolve(self, path: str) -> Path:
        """A path of the settings, absolute."""
        return self.home / path

    @property
    def rules(self) -> tuple[Path, ...]:
        """The folders of the rules, absolute."""
        return tuple(
            shipped("rules.d") if name == BUILTIN else self.resolve(name)
            for name in self.content.rules
        )
