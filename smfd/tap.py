"""What twistd asks of smfd: options, and a service made from the settings."""

import gc
import os
import sys
from pathlib import Path

from twisted.application.service import IService
from twisted.python import usage

from smfd.config.fault import Unusable
from smfd.config.load import load


class Options(usage.Options):
    """C{twistd smfd --config FILE}."""

    synopsis = "[options]"
    longdesc = "The Secure Mail Flow daemon."
    optParameters = [
        ["config", "c", "/etc/smfd/smfd.toml", "The settings file."],
    ]


def makeService(options: Options) -> IService:
    """
    The service, not yet started.

    @raise SystemExit: the settings cannot be used; all that is wrong with
        them stands on standard error.
    """
    try:
        config = load(Path(options["config"]))
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    # Imported here: twistd reads this module for its list of options too, before
    # the reactor is chosen.
    from twisted.internet import reactor

    from smfd.service import make_service

    # SQLite makes its files by the umask alone: mail is nobody else's to read.
    os.umask(0o027)
    service = make_service(config, reactor)
    # What stands now stays: looking through it for garbage again and again was a
    # tenth of the time of a message, and the longest pause of the reactor.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The reactor gives way at every system call, many times a millisecond; to
    # be made to, between them, only costs turns.
    sys.setswitchinterval(0.02)
    return service
