"""Whom we are to a server that we send to."""

from attrs import field, frozen


@frozen
class Origin:
    """
    Where a connection comes from.

    @ivar address: our IP address; "" leaves it to the system.
    @ivar hello: what we call ourselves there; "" is the host's name.
    """

    address: str = ""
    hello: str = ""


#: From wherever the system sends it.
ANYWHERE = Origin()


@frozen
class Login:
    """
    How we are let in by a server that relays for those it knows.

    @ivar password: never shown.
    """

    name: str
    password: str = field(repr=False)
