"""Mailboxes and their passwords."""

from attrs import asdict

from smfd.control import hashes
from smfd.control.house import Actor, Document, House
from smfd.control.limits import quota_of, standing
from smfd.control.listing import OfDomains
from smfd.control.passwords import acceptable, generated
from smfd.control.times import utc
from smfd.model.directory import Account, Refused
from smfd.store.directory_portrait import portrait
from smfd.store.directory_rules import address as checked


async def add(
    house: House,
    actor: Actor,
    *,
    address: str,
    password: str = "",
    hash: str = "",  # noqa: A002
) -> Document:
    """
    Make a mailbox; without a password one is made, and told this once.

    @param hash: of the password, as another server kept it.
    """
    secret = "" if hash else acceptable(password or generated())
    name, domain = checked(address)
    if not await house.directory.is_hosted(domain):
        raise Refused(
            "unknown", f"{domain} is not hosted here.", "Add it with: domain add."
        )
    hashed = await house.passwords.hashed(secret) if secret else _taken_over(hash)
    made = await house.directory.add_account(name, hashed, actor=actor.name)
    return _shown(made) | ({} if password or hash else {"password": secret})


def _taken_over(hashed: str) -> str:
    plain = hashes.plain(hashed)
    if not hashes.is_known(plain):
        raise Refused(
            "invalid",
            "No password can be held against that hash.",
            "Known are crypt(3), {SSHA}, {SSHA256}, {SSHA512} and argon2.",
        )
    return plain


async def show(house: House, actor: Actor, *, address: str) -> Document:
    """One mailbox, and all that hangs on it; how much is held for it."""
    account = await _existing(house, address)
    name = account.address
    entries = await house.lists.page(name, limit=0)
    held = await house.reader.held(recipient=name, limit=0)
    found = await house.directory.ask(portrait, name)
    return {
        **_shown(account),
        "entries": entries.total,
        "held": held["total"],
        "aliases": [*found.because("alias"), *found.shared],
        "grants": found.because("grant"),
        "forwards": list(found.forwards),
        "groups": list(found.groups),
        "app_passwords": list(found.app_passwords),
        **(await _sending(house, name) if house.quota is not None else {}),
    }


async def _sending(house: House, account: str) -> dict[str, object]:
    """What he may send, has sent, and whether that is held back."""
    hold = await quota_of(house).holds.held(account)
    return {
        **await standing(house, account),
        "hold": hold and {**asdict(hold), "since": utc(hold.since)},
    }


async def remove(house: House, actor: Actor, *, address: str) -> Document:
    """Take no more mail for it; what is in it stays on the disk."""
    removed = await house.directory.remove_account(address, actor=actor.name)
    house.log_out(removed.address)
    return _shown(removed)


async def set_password(
    house: House,
    actor: Actor,
    *,
    address: str,
    password: str = "",
    revoke_apps: bool = False,
) -> Document:
    """
    Replace the password; without one it is made, and told this once.

    @param revoke_apps: its app passwords are good for nothing any more.
    """
    secret = acceptable(password or generated())
    account = await _existing(house, address)
    hashed = await house.passwords.hashed(secret)
    changed = await house.directory.set_password(
        account.address, hashed, revoke_apps, actor=actor.name
    )
    # Whoever is in with what was good before is not to stay.
    house.log_out(account.address)
    return _shown(changed) | ({} if password else {"password": secret})


async def _existing(house: House, address: str) -> Account:
    name = checked(address)[0]
    account = await house.directory.account(name)
    if account is None:
        raise Refused(
            "unknown", f"There is no mailbox {name}.", "user list names them."
        )
    return account


def _shown(account: Account) -> dict[str, object]:
    return {
        "address": account.address,
        "created": utc(account.created),
        "can_log_in": bool(account.password),
    }


#: Some of the mailboxes.
page = OfDomains(lambda house, *page: house.directory.accounts(*page), _shown)
