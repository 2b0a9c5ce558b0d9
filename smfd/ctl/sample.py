"""
The sample world of a demonstration home.

Everybody in it has a domain of RFC 2606, so nothing can leave for the real
world.
"""

from typing import Any

from smfd.model.directory import ListEntry

DOMAIN = "demo.example"
ALICE, BOB, CAROL = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))
USERS = (ALICE, BOB, CAROL)

#: A correspondent, and a shop that one likes and another does not.
FRIEND = "frieda@friends.example"
SHOP = "offers@shop.example"

LISTS = (
    ListEntry(0, ALICE, True, SHOP, note="Alice reads their offers."),
    ListEntry(0, BOB, False, "shop.example", note="Bob does not."),
)


def _sender(domain: str) -> list[dict[str, str]]:
    """A domain that sends from this machine, and says so."""
    return [
        {"name": domain, "type": "TXT", "value": "v=spf1 ip4:127.0.0.0/8 -all"},
        {"name": domain, "type": "MX", "value": f"10 mx.{domain}."},
        {"name": f"mx.{domain}", "type": "A", "value": "127.0.0.1"},
        {"name": f"_dmarc.{domain}", "type": "TXT", "value": "v=DMARC1; p=quarantine"},
    ]


#: What the settings of a demonstration say of DNS: all there is, and no more.
DNS: dict[str, Any] = {
    "offline": True,
    "record": [
        *_sender("friends.example"),
        *_sender("shop.example"),
        # Our own domain sends from elsewhere: mail from here in its name is forged.
        {"name": DOMAIN, "type": "TXT", "value": "v=spf1 ip4:192.0.2.1 -all"},
        {"name": f"_dmarc.{DOMAIN}", "type": "TXT", "value": "v=DMARC1; p=quarantine"},
    ],
}
