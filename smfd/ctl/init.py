"""C{smfdctl init}: make a new home."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from smfd.config.value import hostname as wrong_hostname
from smfd.ctl import sample
from smfd.ctl.face import Face, verb
from smfd.ctl.foundation import HIGHEST_BASE, OPERATOR, Foundation
from smfd.model.directory import Refused
from smfd.store.directory_rules import address, domain_name


@click.command()
@click.argument("home", type=click.Path(path_type=Path))
@click.option("--hostname", default="", help="What we call ourselves.")
@click.option("--domain", "domains", multiple=True, help="A domain to host.")
@click.option("--user", "users", multiple=True, help="A mailbox, user@domain.")
@click.option(
    "--port-base",
    "base",
    type=click.IntRange(0, HIGHEST_BASE),
    default=0,
    help="Added to every port; above 0, listen on 127.0.0.1 only.",
)
@click.option("--demo", is_flag=True, help="With sample users, lists and DNS.")
@verb
def init(
    face: Face,
    home: Path,
    hostname: str,
    domains: tuple[str, ...],
    users: tuple[str, ...],
    base: int,
    demo: bool,
) -> None:
    """Make HOME: settings, keys, a self-signed certificate, databases."""
    if demo:
        domains, users = (sample.DOMAIN, *domains), (*sample.USERS, *users)
    try:
        foundation = _foundation(home, hostname, domains, users, base, demo)
        foundation.lay()
    except FileExistsError:
        face.refuse(f"{home} exists. Name another folder, or remove this one.")
    except Refused as no:
        face.refuse(f"{no.sentence} {no.remedy}".strip())
    except OSError as error:
        face.refuse(f"{error.filename or home}: {error.strerror}. Nothing was made.")
    face.show(_document(foundation), _lines(foundation))


def _foundation(
    home: Path,
    hostname: str,
    domains: Sequence[str],
    users: Sequence[str],
    base: int,
    demo: bool,
) -> Foundation:
    """What is asked for, in order and without doubles."""
    people = dict.fromkeys(address(user) for user in users)
    names = [domain_name(name) for name in domains]
    hosted = list(dict.fromkeys([*names, *(domain for _, domain in people)]))
    hostname = hostname or (f"mx.{hosted[0]}" if hosted else socket.gethostname())
    if said := wrong_hostname(hostname):
        raise Refused("invalid", said)
    # Here, for what stands beside it is slow to import.
    from smfd.control.passwords import generated

    return Foundation(
        home=home.absolute(),
        hostname=hostname.lower(),
        domains=hosted,
        users={person: generated() for person, _ in people},
        operator=generated(),
        base=base,
        entries=sample.LISTS if demo else (),
        extra={"dns": sample.DNS} if demo else {},
    )


def _document(made: Foundation) -> dict[str, object]:
    return {
        "config": str(made.config),
        "users": dict(made.users),
        "operator": {"name": OPERATOR, "password": made.operator},
        "ports": made.ports,
    }


def _lines(made: Foundation) -> Iterator[str]:
    yield f"Made {made.home}, for {made.hostname}."
    yield ""
    yield "Passwords, shown this once:"
    for name, secret in [*made.users.items(), (OPERATOR, made.operator)]:
        yield f"  {name:<32} {secret}"
    yield ""
    where = "127.0.0.1 only" if made.base else "all addresses"
    yield f"SMTP will be on port {made.ports['mx']}, {where}."
    ports = f"{made.ports['submission']} and {made.ports['submissions']} (TLS at once)"
    yield f"Users will hand in mail on ports {ports}."
    yield ""
    yield "Next:"
    yield f"  {Face(made.config).command} check"
    yield f"  {Face(made.config).daemon}"
    yield "and, once it runs, for the zone of each domain:"
    if not made.domains:
        yield f"  {Face(made.config).command} domain add DOMAIN"
    yield f"  {Face(made.config).command} dns {next(iter(made.domains), 'DOMAIN')}"
