"""App passwords: one for each program or device, good for what it needs."""

from collections.abc import Sequence

from smfd.control.house import Actor, Document, House
from smfd.control.listing import listed
from smfd.control.passwords import generated
from smfd.control.times import utc
from smfd.model.credentials import SERVICES, AppPassword
from smfd.model.directory import Refused
from smfd.policy.networks import networks

_LONGEST = 80


async def add(
    house: House,
    actor: Actor,
    *,
    address: str,
    name: str,
    services: Sequence[str] = (),
    networks: Sequence[str] = (),
) -> Document:
    """Make one, and tell it this once; without services it is good for all."""
    secret = generated()
    wanted = AppPassword(
        0,
        address,
        _named(name),
        _services(services),
        _networks(networks),
        password=await house.passwords.hashed(secret),
    )
    made = await house.keys.add(wanted, actor=actor.name)
    return {**_shown(made), "password": f"app{made.id}-{secret}"}


async def page(
    house: House, actor: Actor, *, address: str, limit: int = 100, offset: int = 0
) -> Document:
    """Those of a mailbox, by name."""
    return listed(await house.keys.page(address, limit, offset), _shown)


async def remove(house: House, actor: Actor, *, address: str, name: str) -> Document:
    """It is good for nothing from now on; C{name} may be its number."""
    removed = await house.keys.remove(address, name, actor=actor.name)
    # Nobody knows by which of them a session came in.
    house.log_out(removed.account)
    return _shown(removed)


def _named(name: str) -> str:
    said = name.strip()
    if not 0 < len(said) <= _LONGEST or not said.isprintable():
        raise Refused(
            "invalid",
            f"An app password has a name of 1 to {_LONGEST} characters.",
            "Name the program or the device: phone.",
        )
    return said


def _services(wanted: Sequence[str]) -> tuple[str, ...]:
    for service in wanted:
        if service not in SERVICES:
            raise Refused(
                "invalid",
                f"{service[:40]!r} is no service of app passwords.",
                f"There are {', '.join(SERVICES)}.",
            )
    return tuple(one for one in SERVICES if not wanted or one in wanted)


def _networks(wanted: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(str(one) for one in networks(wanted)))
    except ValueError as wrong:
        raise Refused("invalid", f"{wrong}.", "Write it like 192.0.2.0/24.") from None


def _shown(app: AppPassword) -> dict[str, object]:
    return {
        "id": app.id,
        "address": app.account,
        "name": app.name,
        "services": list(app.services),
        "networks": list(app.networks),
        "created": utc(app.created),
        "used": None if app.used is None else utc(app.used),
    }
