"""How fast the world is sent to, as whoever watches it knows."""

from typing import Protocol

from smfd.policy.paces import Pause


class Pacing(Protocol):
    """Asked of a server, by its name, and of an address of ours."""

    def pause(self, host: str, source: str) -> Pause:
        """How long, and why, a message waits; when it goes now it counts."""

    def whose(self, host: str) -> tuple[str, int]:
        """Whose server it is, and his connections at once; 0: as many as any."""

    def spent(self, host: str, source: str) -> bool:
        """Whether the address has sent there all that it may today."""
