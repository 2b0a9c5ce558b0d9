"""The EICAR test file: harmless, and known to every scanner."""


def test_virus() -> bytes:
    """The test string, in pieces so that no file of ours contains it."""
    pieces = (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", b"EICAR-STANDARD", b"-ANTIVIRUS")
    return b"".join((*pieces, b"-TEST-FILE!$H+", b"H*"))
