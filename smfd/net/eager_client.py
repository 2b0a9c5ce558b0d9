"""Eager connections (L{smfd.net.eager}) that we open."""

from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IConnector
from twisted.internet.tcp import Client, Connector

from smfd.net.eager import Eager


class EagerClient(Eager, Client):
    """A connection with a server."""


class _Connector(Connector):
    """Opens eager connections."""

    def _makeTransport(self) -> EagerClient:
        made: Any = EagerClient
        client: EagerClient = made(
            self.host, self.port, self.bindAddress, self, self.reactor
        )
        return client


@frozen
class Eagerly:
    """What a TCP endpoint takes for the reactor."""

    reactor: Any

    def connectTCP(self, *arguments: Any, **more: Any) -> IConnector:
        """As the reactor's."""
        connector = _Connector(*arguments, **{**more, "reactor": self.reactor})
        connector.connect()
        return connector
