"""How fast the world is sent to, as whoever watches it knows."""

from typing import Protocol


class Pacing(Protocol):
    """Asked of a server, by its name, and of an address of ours."""

    def wait(self, host: str, source: str) -> float:
        """Seconds to wait before a message goes there; 0: it goes, and counts."""

    def whose(self, host: str) -> tuple[str, int]:
        """Whose server it is, and his connections at once; 0: as many as any."""

    def spent(self, host: str, source: str) -> bool:
        """Whether the address has sent there all that it may today."""
