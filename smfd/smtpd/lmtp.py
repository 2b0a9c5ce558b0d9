"""
The back door: mail for the hosted domains from hosts of our own.

Who hands it over has taken it already, and is told of each recipient alone.

Standards: RFC 2033.
"""

from attrs import define, field
from zope.interface import implementer

from smfd.interfaces import IDoor
from smfd.model.session import Session
from smfd.policy.networks import Networks, within
from smfd.proto.reply import Reply, reply
from smfd.smtpd.mx import MX


@implementer(IDoor)
@define
class LMTP(MX):
    """
    @ivar networks: who may come; by a UNIX socket everybody may who can open it.
    """

    networks: Networks = field(default=(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        MX.__attrs_post_init__(self)
        self._greeting = reply(220, "", f"{self.hostname} LMTP smfd")

    def connected(self, session: Session) -> Reply:
        """Greet those who may come, unless there are too many."""
        greeted = MX.connected(self, session)
        if not greeted.positive or self._may_come(session.client):
            return greeted
        text = f"{self.hostname} Your address may not hand over mail"
        said = reply(554, "5.7.1", text, closes=True)
        return self.recorder.refused(session.id, session, None, said)

    def _may_come(self, client: str) -> bool:
        # Through a UNIX socket nobody has an address.
        return not client or within(client, self.networks)
