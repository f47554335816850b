"""`ipx-gateway`: what an operator types. One module of `gateway/commands` for each group."""

import click

from gateway.commands.agencies import agency_group, client_group
from gateway.commands.api_document import openapi
from gateway.commands.approvals import approval_group
from gateway.commands.certificates import certificate_group
from gateway.commands.client_keys import key_group
from gateway.commands.delegations import delegation_group
from gateway.commands.demo import demo
from gateway.commands.doctor import doctor
from gateway.commands.erasure import erase_group
from gateway.commands.exchange_seals import exchange_group
from gateway.commands.holder_keys import holder_key_group
from gateway.commands.log import log_group
from gateway.commands.operation import database_group, keys_group, serve, sweep, trust_group, work
from gateway.commands.people import people_group
from gateway.commands.policies import policy_group
from gateway.commands.quarantine import quarantine_group
from gateway.commands.quotas import quota_group
from gateway.commands.recalls import recall_group
from gateway.commands.seal_keys import seal_key_group
from gateway.commands.sources import source_group
from gateway.commands.token_keys import token_key_group
from gateway.commands.tokens import token_group
from gateway.logs import configure_by_environment


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ipx-gateway")
def main() -> None:
    """Policy-checked, redacted, signed and provable exchange of IP records between departments.

    \b
    First steps on an empty machine:
      ipx-gateway demo                     the whole story in a small made-up world
      ipx-gateway keys init --dir keys     the server's own keys, and the settings to export
      ipx-gateway db upgrade               the tables
      ipx-gateway agency add …             who may call, and who holds records
      ipx-gateway serve                    the server
    """  # noqa: D301  (click wants the character \b itself)


for command in (
    agency_group,
    client_group,
    quota_group,
    key_group,
    certificate_group,
    delegation_group,
    token_key_group,
    token_group,
    source_group,
    quarantine_group,
    holder_key_group,
    seal_key_group,
    policy_group,
    people_group,
    approval_group,
    recall_group,
    keys_group,
    database_group,
    trust_group,
    log_group,
    erase_group,
    exchange_group,
    serve,
    openapi,
    work,
    sweep,
    doctor,
    demo,
):
    main.add_command(command)


def run() -> None:
    """Be the program: what it logs goes to standard error, and standard output holds what was asked for."""
    configure_by_environment()
    main()
