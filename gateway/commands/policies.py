"""`ipx-gateway policy`."""

from pathlib import Path

import click

from gateway.commands.context import actor, json_option, reported, services, show
from policies.bundle_files import load
from policies.engine import PolicyRef, PolicyText, revision_of
from policies.reference import TIERS, Tier


@click.group("policy")
def policy_group() -> None:
    """What may be released to whom: Cedar text in three tiers."""


@policy_group.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@reported
def import_policies(folder: Path) -> None:
    """Put the policies of a folder in force: guardrails/, holder/<agency>/, egress/.

    Every policy is checked first; one finding refuses the whole folder. What a tier and owner had before is replaced.
    """
    for activation in services().policies.activate(load(folder), actor=actor()):
        click.echo(
            f"{activation.tier}/{activation.owner}@{activation.manifest_sha256[:8]}: "
            f"{len(activation.revisions)} policies in force"
        )


@policy_group.command("put")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tier", type=click.Choice(TIERS), default="holder", show_default=True)
@click.option("--owner", required=True, help="Agency whose policy it is; `gateway` for guardrails.")
@reported
def put_policy(file: Path, tier: Tier, owner: str) -> None:
    """Put one policy in force beside the others of its tier and owner; the file's name is its id.

    Example: ipx-gateway policy put port-trademark-border.cedar --owner ipo-xa
    """
    cedar = file.read_text("utf-8")
    text = PolicyText(PolicyRef(tier, owner, file.stem, revision_of(cedar)), cedar)
    activation = services().policies.put(text, actor=actor())
    click.echo(f"{tier}/{owner}@{activation.manifest_sha256[:8]}: {len(activation.revisions)} policies in force")


@policy_group.command("list")
@json_option
@reported
def list_policies(*, as_json: bool) -> None:
    """List the policies in force."""
    _, texts = services().policies.active()
    show(
        (
            {
                "tier": text.ref.tier,
                "owner": text.ref.owner,
                "policy": text.ref.policy_id,
                "revision": text.ref.revision,
            }
            for text in texts
        ),
        ("tier", "owner", "policy", "revision"),
        as_json=as_json,
    )


@policy_group.command("show")
@click.argument("name", metavar="TIER/OWNER/POLICY")
@reported
def show_policy(name: str) -> None:
    """Print the Cedar text of a policy in force."""
    _, texts = services().policies.active()
    for text in texts:
        if f"{text.ref.tier}/{text.ref.owner}/{text.ref.policy_id}" == name.partition("@")[0]:
            click.echo(text.cedar)
            return
    raise click.ClickException(f"no policy {name} is in force; `ipx-gateway policy list` shows those that are")
