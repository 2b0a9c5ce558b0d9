"""Where the files are that come with smfd, in a checkout and installed."""

from pathlib import Path

import smfd


def shipped(name: str) -> Path:
    """
    A file or folder of the repository's C{etc/}.

    A wheel has them in C{smfd/shipped/} (setup.cfg says so); in a checkout
    they are beside the package.
    """
    package = Path(smfd.__file__).parent
    installed = package / "shipped"
    return (installed if installed.is_dir() else package.parent / "etc") / name
