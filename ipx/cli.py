"""`ipx`: what an agency or an auditor types."""

import click

from ipx.commands import audit_evidence, audit_kept
from ipx.commands.audit import audit
from ipx.commands.bundle import bundle
from ipx.commands.convert import convert
from ipx.commands.exchange import exchange
from ipx.commands.keygen import keygen
from ipx.commands.mutual import mutual
from ipx.commands.recall import recall
from ipx.commands.request import request
from ipx.commands.trouble import TeachingGroup
from ipx.commands.trust import trust
from ipx.commands.verify import verify


@click.group(cls=TeachingGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Ask other departments for records of intellectual property, and check what they answered.

    \b
    The first exchange:
      ipx keygen --out my.jwk                                  make a key; have its public half registered
      ipx trust fetch https://gw.example --out trust.json      pin who signs what
      ipx request --gateway https://gw.example --client customs-xa.intake --key my.jwk \\
          --record urn:ipx:ipo-xa:trademark:202400017 --purpose border_enforcement \\
          --legal-basis "Customs Cooperation Agreement 2025, art. 4" --trust trust.json --out answer.json
      ipx verify answer.json --trust trust.json                check it again, offline, years later
    """  # noqa: D301  (click wants the character \b itself)


main.add_command(keygen)
main.add_command(request)
main.add_command(exchange)
main.add_command(recall)
main.add_command(verify)
main.add_command(bundle)
main.add_command(convert)
main.add_command(mutual)
main.add_command(audit)
for command in (*audit_kept.COMMANDS, *audit_evidence.COMMANDS):
    audit.add_command(command)
main.add_command(trust)
