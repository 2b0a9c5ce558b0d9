"""What is wrong with a settings file."""

from pathlib import Path

from attrs import frozen


@frozen
class Fault:
    """
    One thing that is wrong.

    @ivar line: where, from 1; 0 when it is about the whole file.
    @ivar key: the setting, as C{table.key}; empty when it is none.
    @ivar sentence: what is wrong, and what to do.
    """

    line: int
    key: str
    sentence: str

    def shown(self, path: Path) -> str:
        """As one line, in the way compilers say where."""
        place = f"{path}:{self.line}: " if self.line else f"{path}: "
        return place + (f"{self.key}: " if self.key else "") + self.sentence


class Unusable(Exception):
    """
    The settings cannot be used.

    @ivar path: the file.
    @ivar faults: all that is wrong, in the order of the lines.
    """

    def __init__(self, path: Path, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(fault.shown(path) for fault in faults))
        self.path = path
        self.faults = faults
