"""C{smfdctl user app-password}."""

import click

from smfd.ctl.client import asking, segment
from smfd.ctl.face import Face, verb
from smfd.ctl.noun import Document, Noun


def _reading(found: Document) -> Document:
    """Its lists, each in one line."""
    networks = " ".join(found["networks"]) or "anywhere"
    return {**found, "services": " ".join(found["services"]), "networks": networks}


def _of(address: str) -> Noun:
    """Those of one mailbox."""
    return Noun(
        f"/v1/users/{segment(address)}/app-passwords",
        ("id", "name", "services", "networks", "created", "used"),
        _reading,
    )


@click.group("app-password")
def app_password() -> None:
    """Passwords of one program or device each."""


@app_password.command("list")
@click.argument("address")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@verb
def app_password_list(face: Face, /, address: str, **query: int) -> None:
    """Show those of the mailbox ADDRESS; nobody can see the passwords again."""
    found = _of(address)
    found.page(face, query)


@app_password.command("add")
@click.argument("address")
@click.argument("name")
@click.option(
    "--service",
    "services",
    multiple=True,
    help="submission, imap or pop3; without any it is good for all.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="Good from there only, 192.0.2.0/24; without any from anywhere.",
)
@verb
def app_password_add(
    face: Face,
    address: str,
    name: str,
    services: tuple[str, ...],
    networks: tuple[str, ...],
) -> None:
    """Make one for the program or device NAME, and show it once."""
    body = {"name": name, "services": list(services), "networks": list(networks)}
    with asking(face) as client:
        made = client.post(_of(address).path, body)
    lines = [
        f"{made['address']} has an app password {made['name']}.",
        f"Password, shown this once: {made['password']}",
    ]
    face.show(made, lines)


@app_password.command("remove")
@click.argument("address")
@click.argument("name")
@verb
def app_password_remove(face: Face, address: str, name: str) -> None:
    """Take the app password NAME, or of that number, from ADDRESS."""
    with asking(face) as client:
        gone = client.delete(_of(address).one(name))
    face.show(gone, [f"{gone['name']} is good for nothing any more."])
