"""Who may decide about a message that waits for approval (S52)."""

from typing import Any

from smfd.control.house import Actor, House
from smfd.model.directory import Refused
from smfd.policy.ruled import waits_for
from smfd.store.directory_rules import address

_DECLINED = """Your message to {recipient} was not approved of, and is thrown away.

Subject: {subject}
Number: {message}
"""


async def acting(
    house: House, actor: Actor, item: dict[str, Any], approver: str
) -> Actor:
    """
    Who decides about a held item: whoever asks, or the approver he names.

    @raise Refused: he does not approve of such messages.
    """
    if not approver:
        return actor
    name = address(approver)[0]
    rule = _rule(item)
    if rule is None:
        raise Refused("conflict", f"{item['id']} does not wait for anybody's approval.")
    approvers = await approvers_of(house, item)
    if name not in approvers:
        raise Refused(
            "conflict",
            f"{name} does not approve of what the policy {rule} holds.",
            f"{', '.join(approvers)} may." if approvers else "The operator decides.",
        )
    return Actor(f"{name} ({actor.name})", "approver")


async def approvers_of(house: House, item: dict[str, Any]) -> list[str]:
    """Who may decide about a held item today, besides the operator."""
    rule = _rule(item)
    if rule is None:
        return []
    return [
        who
        for found in await house.policies.rules()
        if found.name == rule
        for who in found.approvers
    ]


def _rule(item: dict[str, Any]) -> str | None:
    """The rule that has it wait for approval, if one has."""
    return waits_for(item["reason"]) if item["class"] == "approval" else None


async def declined(house: House, item: dict[str, Any]) -> None:
    """Tell a user of ours who was told to wait that he waits in vain."""
    if item["class"] != "approval":
        return
    message = item["id"].rpartition("-")[0]
    found = await house.reader.record(message)
    account = found["record"].get("account") if found else ""
    if account:
        text = _DECLINED.format(
            recipient=item["recipient"], subject=item["subject"], message=message
        )
        subject = "Your message was not approved"
        house.write((account,), f"declined {item['id']}", subject, text)
