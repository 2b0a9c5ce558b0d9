"""
Whether the MTA-STS policy that others get is the one that they should.

Standards: RFC 8461 §3.1 (the id), §3.2 (the policy), §8.3 (changing it).
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from smfd.policy.dns_site import Site, Wanted
from smfd.policy.dns_verdict import FAIL, OK, WARN, Advice
from smfd.policy.mta_sts import STS, read_policy

#: Octets of what was wrong that people are shown.
_SHOWN = 500


@frozen
class Served:
    """
    What others get.

    @ivar policy: None when it cannot be had.
    @ivar fault: why not, for people.
    @ivar name: the id that its record has; "" for none.
    @ivar hosts: the MX hosts of the domain.
    """

    policy: STS | None
    fault: str = ""
    name: str = ""
    hosts: Sequence[str] = ()


def judged_policy(site: Site, served: Served) -> Advice:
    """Compare it with ours, with the id of its record and with the MX hosts."""
    wanted = Wanted(
        "policy",
        site.policy_url,
        "HTTPS",
        f"mx: {site.hostname}",
        "The MTA-STS policy.",
        needed=False,
    )
    policy = served.policy
    if policy is None:
        fix = (
            f"Others cannot have the policy that the record promises:"
            f" {served.fault[:_SHOWN]}. Serve what smfdctl dns {site.domain} --page"
            " mta-sts prints, or take the record out."
        )
        return Advice(wanted, FAIL, (), fix)
    found = (f"mode: {policy.mode}, mx: {' '.join(policy.patterns)}",)
    if policy.mode != "none" and not policy.permits(site.hostname):
        fix = f"Who obeys the policy sends us nothing; add to it: {wanted.value}"
        return Advice(wanted, FAIL, found, fix)
    thoughts = " ".join(_thoughts(site, policy, served))
    return Advice(wanted, WARN if thoughts else OK, found, thoughts)


def _thoughts(site: Site, policy: STS, served: Served) -> Iterator[str]:
    if policy.mode != "enforce":
        yield f"mode: {policy.mode} keeps nobody from reading mail on its way."
    else:
        shut = [host for host in served.hosts if not policy.permits(host)]
        if shut:
            names = ", ".join(sorted(shut)[:5])[:_SHOWN]
            yield f"Who obeys the policy sends nothing to {names}: an MX host, too."
    same, named = _same(policy, read_policy(site.policy.encode())), served.name
    if same and named != site.policy_id:
        yield (
            "The policy is the printed one and its id is not: who has an older one"
            f" does not ask again. Publish {site.policy_record}"
        )
    elif not same and named == site.policy_id:
        yield (
            "The policy is not the printed one and its id is: who has that does not"
            " ask again. Give the record another id."
        )


def _same(one: STS, other: STS) -> bool:
    return (one.mode, {*one.patterns}, one.max_age) == (
        other.mode,
        {*other.patterns},
        other.max_age,
    )
