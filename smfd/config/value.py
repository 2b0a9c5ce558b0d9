"""Looks at single values: addresses, networks, names."""

import re
from ipaddress import IPv6Address, ip_address, ip_network

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


#: Before the name of a socket that systemd opened, and before a path.
SYSTEMD, UNIX = "systemd:", "unix:"
# systemd.socket(5), FileDescriptorName: no control characters and no colon.
_SOCKET = re.compile(r"[!-9;-~]{1,255}")

_SMTP = re.compile(r"smtp://(\[[^]]*\]|[^][:/]+)(?::([0-9]+))?")


#: RFC 5321 §4.1.2: a dot-string.
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")


def _port(text: str) -> int:
    """The port, 0 to 65535, or -1 when it is none."""
    number = int(text) if re.fullmatch("[0-9]{1,5}", text) else -1
    return number if number <= 65535 else -1


def split_address(text: str) -> tuple[str, int]:
    """
    C{"192.0.2.1:25"} or C{"[2001:db8::1]:25"} as address and port.

    @raise ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    address = ip_address(bare)
    if not colon or _port(port) < 0 or (bare == host) != (address.version == 4):
        raise ValueError(text)
    return str(address), _port(port)


def split_server(text: str, port: int = 53) -> tuple[str, int]:
    """
    An IP address with or without a port, as address and port.

    @param port: the one that is meant when none is given.
    @raise ValueError: it is neither.
    """
    try:
        return str(ip_address(text)), port
    except ValueError:
        return split_address(text)


def split_clamd(text: str) -> tuple[str, str, int]:
    """
    C{"unix:/path"} as C{("unix", path, 0)}, C{"tcp:host:port"} likewise.

    @raise ValueError: it is neither.
    """
    scheme, _, rest = text.partition(":")
    if scheme == "unix" and rest.startswith("/"):
        return scheme, rest, 0
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not host or _port(port) < 1:
        raise ValueError(text)
    return scheme, host.strip("[]"), _port(port)


def address(text: str) -> str:
    """An IP address and a port."""
    try:
        split_address(text)
    except ValueError:
        return (
            f'"{text}" is not an address with a port; '
            'write "192.0.2.1:25", or "[2001:db8::1]:25" for IPv6.'
        )
    return ""


def listening(text: str) -> str:
    """An IP address and a port, or a socket of systemd's."""
    if text.startswith(SYSTEMD):
        if _SOCKET.fullmatch(text.removeprefix(SYSTEMD)):
            return ""
        return f'"{text}" names no socket; write "systemd:mx", as in the unit.'
    return address(text)


def lmtp(text: str) -> str:
    """What L{listening} takes but port 25, or a UNIX socket."""
    if text.startswith(UNIX):
        return path(text.removeprefix(UNIX))
    if text.endswith(":25"):
        # RFC 2033 §5: what is meant for SMTP must not meet LMTP.
        return f'"{text}" is SMTP\'s port; LMTP goes elsewhere, "127.0.0.1:24".'
    return listening(text)


def server(text: str) -> str:
    """An IP address, with or without a port."""
    try:
        split_server(text)
    except ValueError:
        return (
            f'"{text}" is not an IP address; write "192.0.2.1", "192.0.2.1:53" '
            'or "[2001:db8::1]:53".'
        )
    return ""


def network(text: str) -> str:
    """A network in CIDR notation, or one address."""
    try:
        ip_network(text)
    except ValueError as error:
        return f'"{text}" is not a network ({error}); write "192.0.2.0/24".'
    return ""


def clamd(text: str) -> str:
    """Where a clamd listens."""
    try:
        split_clamd(text)
    except ValueError:
        return (
            f'"{text}" is no place where clamd could listen; '
            'write "unix:/run/clamav/clamd.ctl" or "tcp:127.0.0.1:3310".'
        )
    return ""


def redis(text: str) -> str:
    """Where a Redis listens, or nothing."""
    try:
        if text:
            split_clamd(text)
    except ValueError:
        return (
            f'"{text}" is no place where Redis could listen; '
            'write "unix:/run/redis/redis-server.sock" or "tcp:127.0.0.1:6379".'
        )
    return ""


def hostname(text: str) -> str:
    """A host name in A-labels (RFC 5321 §4.1.2), or nothing."""
    labels = text.rstrip(".").split(".")
    if not text or (len(text) <= 253 and all(map(_LABEL.fullmatch, labels))):
        return ""
    return f'"{text}" is not a host name; write "mx.example.org", IDNs as xn--.'


def domain(text: str) -> str:
    """A domain, or C{*} for all."""
    if text == "*":
        return ""
    return hostname(text) if text else "A domain is missing."


def domains(text: str) -> str:
    """A domain, all that end in C{.example}, or C{*} for all."""
    return domain(text.removeprefix("*."))


def mailbox(text: str) -> str:
    """An address without quotes, or nothing."""
    local, at, domain = text.rpartition("@")
    if not text or (at and _LOCAL.fullmatch(local) and domain and not hostname(domain)):
        return ""
    return f'"{text}" is not an address; write "postmaster@example.org".'


def ip(text: str) -> str:
    """An IP address, alone."""
    try:
        ip_address(text)
    except ValueError:
        return f'"{text}" is not an IP address; write "192.0.2.1" or "2001:db8::1".'
    return "" if "%" not in text else f'"{text}" has a zone; leave out the % and it.'


def path(text: str) -> str:
    """A path that names something."""
    return "" if text else "A path is missing."


def named_server(text: str) -> str:
    """A name, with or without a port; or nothing."""
    name, colon, port = text.partition(":")
    # RFC 3696 §2: what ends in digits is an address.
    is_name = name and not hostname(name) and not name.rpartition(".")[2].isdigit()
    if not text or (is_name and (not colon or _port(port) > 0)):
        return ""
    return f'"{text}" is no name of a server; write "imap.example.org".'


def smtp_url(text: str) -> str:
    """C{smtp://HOST} or C{smtp://HOST:PORT}."""
    found = _SMTP.fullmatch(text)
    if found and _server_host(found[1]) and _port(found[2] or "25") > 0:
        return ""
    return f'"{text}" is no mail server; write "smtp://192.0.2.1:25".'


def _server_host(text: str) -> bool:
    """Whether it is an IP address, one of IPv6 in brackets, or a host name."""
    try:
        if text.startswith("["):
            return IPv6Address(text[1:-1]) is not None
        return ip_address(text) is not None
    except ValueError:
        # RFC 3696 §2: no top-level domain is all digits; that is half an address.
        last = text.rstrip(".").rpartition(".")[2]
        return not (text.startswith("[") or hostname(text) or last.isdigit())
