"""C{smfdctl check}: try everything that the settings name."""

from collections.abc import Iterator

import click

from smfd.config.fault import Unusable
from smfd.config.load import load
from smfd.config.schema import Config
from smfd.ctl.face import REFUSED, Face, verb
from smfd.ctl.probe import Report, State, error, ok
from smfd.model.grammar import counted

_MARKS = {State.OK: "OK", State.WARNING: "WARNING", State.ERROR: "ERROR"}


@click.command()
@verb
def check(face: Face) -> None:
    """Try everything the settings name; exit 1 when something is in the way."""
    reports = list(_reports(face))
    errors = sum(report.state is State.ERROR for report in reports)
    document = [
        {"name": report.name, "state": report.state.value, "text": report.text}
        for report in reports
    ]
    face.show({"checks": document, "errors": errors}, _lines(reports, errors))
    if errors:
        raise SystemExit(REFUSED)


def _reports(face: Face) -> Iterator[Report]:
    try:
        config = load(face.config)
    except Unusable as unusable:
        for fault in unusable.faults:
            yield error("settings", fault.shown(unusable.path))
        return
    yield ok("settings", str(face.config))
    yield from _tried(config)


def _tried(config: Config) -> Iterator[Report]:
    # Imported here: a broken settings file is told before OpenSSL is loaded.
    from smfd.ctl import probe
    from smfd.ctl.probe_databases import probe_databases
    from smfd.ctl.probe_descriptors import probe_descriptors
    from smfd.ctl.probe_dns import probe_dns
    from smfd.ctl.probe_lists import probe_lists
    from smfd.ctl.probe_next_hops import probe_next_hops
    from smfd.ctl.probe_redis import probe_redis
    from smfd.ctl.probe_relay import probe_relay
    from smfd.ctl.probe_rules import probe_rules
    from smfd.ctl.probe_tls import probe_authorities, probe_certificate

    yield from probe.probe_name(config)
    yield from probe.probe_home(config)
    yield from probe.probe_disk(config)
    yield from probe_databases(config)
    yield from probe.probe_ports(config)
    yield from probe_descriptors(config)
    yield from probe_certificate(config)
    yield from probe_authorities(config)
    yield from probe.probe_stages(config)
    yield from probe.probe_virus(config)
    yield from probe_redis(config)
    yield from probe_rules(config)
    yield from probe_next_hops(config)
    yield from probe_relay(config)
    yield from probe_dns(config)
    yield from probe_lists(config)


def _lines(reports: list[Report], errors: int) -> Iterator[str]:
    for report in reports:
        yield f"{_MARKS[report.state]:<8} {report.name}: {report.text}"
    warnings = sum(report.state is State.WARNING for report in reports)
    yield ""
    yield f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
