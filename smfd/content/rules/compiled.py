"""
Databases of patterns, kept as they were compiled.

To compile all rules takes a second of processor time, to read them again
nothing: after a restart mail waits less.
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import hyperscan
from attrs import define, field

#: Octets of a hash; each file begins with that of the rest.
_HASH = 32


@define
class Compiled:
    """
    Databases by what they were made from, in files.

    Vectorscan knows one of another version or processor, and a hash tells what
    is damaged; then all is as without files.

    @ivar folder: where it is not there, nothing is kept.
    """

    folder: Path | None
    _used: set[str] = field(factory=set, init=False)

    def database(
        self, sources: Sequence[bytes], flags: Sequence[int]
    ) -> "hyperscan.Database":
        """
        The database of these patterns, numbered from 0.

        @raise hyperscan.HyperscanError: they cannot be compiled.
        """
        name = hashlib.sha256(repr((sources, flags)).encode()).hexdigest()
        database = self._read(name)
        if database is None:
            database = _compile(sources, flags)
            self._write(name, hyperscan.dumpb(database))
        self._used.add(name)
        return database

    def tidy(self) -> None:
        """Remove what was not asked for."""
        with suppress(OSError):
            for path in self.folder.iterdir() if self.folder else ():
                if path.name not in self._used:
                    path.unlink()

    def _read(self, name: str) -> "hyperscan.Database | None":
        if self.folder is None:
            return None
        with suppress(OSError, hyperscan.HyperscanError):
            whole = (self.folder / name).read_bytes()
            octets = whole[_HASH:]
            if _hash(octets) != whole[:_HASH]:
                return None
            database = hyperscan.loadb(octets, hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
            return database
        return None

    def _write(self, name: str, octets: bytes) -> None:
        """Whole or not at all."""
        if self.folder is None:
            return
        part = self.folder / f"{name}.{os.getpid()}"
        with suppress(OSError):
            part.touch(0o600)
            part.write_bytes(_hash(octets) + octets)
            part.rename(self.folder / name)


def _hash(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def _compile(sources: Sequence[bytes], flags: Sequence[int]) -> "hyperscan.Database":
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    numbers = list(range(len(sources)))
    database.compile(
        expressions=list(sources), ids=numbers, elements=len(sources), flags=list(flags)
    )
    return database
