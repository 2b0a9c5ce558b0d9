"""smfdctl: what a person, or a script, asks of smfd."""

from importlib import import_module
from pathlib import Path

import click
from attrs import frozen

from smfd import __version__
from smfd.ctl.face import default_config


@frozen
class Verb:
    """Where a verb is found, and what it is for."""

    module: str
    name: str
    sentence: str


#: Read when asked for, so that no verb waits for the imports of another.
VERBS = {
    "init": Verb("init", "init", "Make a new home: settings, keys, databases."),
    "check": Verb("check", "check", "Try everything the settings name."),
    "config": Verb("config", "config", "Explain the settings."),
    "status": Verb("status", "status", "What the daemon is doing."),
    "domain": Verb("directory", "domain", "Hosted domains."),
    "user": Verb("directory", "user", "Mailboxes and their passwords."),
    "alias": Verb("addresses", "alias", "Addresses that stand for others."),
    "forward": Verb("addresses", "forward", "Mailboxes whose mail goes to others."),
    "recipient": Verb("addresses", "recipient", "Listed addresses of domains."),
    "dkim": Verb("dkim", "dkim", "The keys that mail is signed with."),
    "dns": Verb("dns", "dns", "The DNS records of a domain, and their faults."),
    "grant": Verb("grant", "grant", "Who may write as whom."),
    "list": Verb("directory", "list_", "Allow and block entries."),
    "group": Verb("group", "group", "Groups of users."),
    "policy": Verb("policy", "policy", "Who may send what to whom, and when."),
    "trace": Verb("trace", "trace", "What became of a message, and why."),
    "queue": Verb("queue", "queue", "Mail that waits for other servers."),
    "quarantine": Verb("quarantine", "quarantine", "Messages that are held."),
    "source": Verb("source", "source", "What is known of those who connect."),
    "route": Verb("route", "route", "How mail for a domain of others would go."),
    "reputation": Verb("reputation", "reputation", "Why others reject our mail."),
    "tls": Verb("tls", "tls", "What others report of TLS with our servers."),
    "dmarc": Verb("dmarc", "dmarc", "What others report of our domains' mail."),
    "suppression": Verb(
        "reputation", "suppression", "Addresses that do not exist, and get no mail."
    ),
    "audit": Verb("audit", "audit", "Who changed what."),
    "scan": Verb("scan", "scan", "Judge a message in a file."),
    "demo": Verb("demo", "demo", "Sample mail for a first look."),
}


class _Verbs(click.Group):
    """A group that imports a verb when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb; None when there is no such verb."""
        found = VERBS.get(cmd_name)
        if found is None:
            return None
        module = import_module(f"{__name__}.{found.module}")
        command = getattr(module, found.name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, v.sentence) for name, v in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smfdctl")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The settings file; else $SMFD_CONFIG, else /etc/smfd/smfd.toml.",
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """
    Ask smfd, or tell it.

    Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 75 try again.
    """
    context.obj = config or default_config()
