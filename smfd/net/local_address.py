"""Whether an address is one of this machine's."""

import socket


def is_local(address: str) -> bool:
    """
    Whether this machine has an IP address; asks the kernel, sends nothing.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
