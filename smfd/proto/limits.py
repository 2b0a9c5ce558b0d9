"""
What one connection, and all together, may cost.

Standards: RFC 5321 §4.5.3, RFC 1870.
"""

from attrs import define, frozen


@frozen
class Limits:
    """
    What a client may ask of us.

    @ivar command_line: octets of a command, with its CRLF.
    @ivar recipients: of one transaction.
    @ivar message_size: octets of a message, without dot-stuffing.
    @ivar errors: mistakes of a connection; one more ends it.
    @ivar refusals: permanent refusals of senders and recipients; one more
        ends the connection.
    @ivar junk: commands that move nothing on; one more ends the connection.
    @ivar logins: refused logins of a connection; the last of them ends it.
    @ivar command_timeout: seconds from one command to the end of the next.
    @ivar data_timeout: seconds between two reads of a message.
    @ivar message_timeout: seconds for a whole message.
    @ivar handshake_timeout: seconds for a TLS handshake.
    @ivar data_rate: the least octets a second within a message, on the
        average; 0 for none.
    @ivar data_grace: seconds for which a message may be slower than that.
    @ivar memory: octets of messages in memory, over all connections.
    @ivar message_memory: what one message takes of it at most: the size from
        which messages are kept on disk.
    @ivar pending: octets read ahead of an answer before we stop reading.
    """

    command_line: int = 2048
    recipients: int = 1000
    message_size: int = 52428800
    errors: int = 10
    refusals: int = 100
    junk: int = 100
    logins: int = 3
    command_timeout: float = 300.0
    data_timeout: float = 180.0
    message_timeout: float = 1800.0
    handshake_timeout: float = 30.0
    data_rate: int = 0
    data_grace: float = 60.0
    memory: int = 256 * 1024 * 1024
    message_memory: int = 128 * 1024
    pending: int = 16384


@define
class Budget:
    """
    Octets that many share.

    @ivar octets: how many there are.
    @ivar taken: how many are in use.
    """

    octets: int
    taken: int = 0

    def take(self, octets: int) -> bool:
        """Take some; all or none, and whether they were taken."""
        if self.taken + octets > self.octets:
            return False
        self.taken += octets
        return True

    def give_back(self, octets: int) -> None:
        """Return what was taken."""
        self.taken = max(0, self.taken - octets)
