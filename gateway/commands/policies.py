"""`ipx-gateway policy`."""

from pathlib import Path

import click

from gateway.commands import policy_changes, policy_folders, policy_sight
from gateway.commands.context import actor, json_option, reported, services, show
from gateway.commands.policy_folders import folder_of
from policies.engine import PolicyRef, PolicyText, revision_of
from policies.reference import TIERS, Tier

review_option = click.option(
    "--without-review",
    "reason",
    metavar="REASON",
    help="Change what is in force without a second person; the reason stands in the audit trail.",
)


@click.group("policy")
def policy_group() -> None:
    """What may be released to whom: Cedar text in three tiers."""


@policy_group.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@review_option
@reported
def import_policies(folder: Path, reason: str | None) -> None:
    """Put the policies and tests of a folder in force: guardrails/, holder/<agency>/, egress/<agency>/, tests/.

    Every policy is checked first; one finding refuses the whole folder. For a first set only: what is in force already
    is changed by `policy propose`, or here at your own account with --without-review.
    """
    found = folder_of(folder)
    _require_reason({(one.ref.tier, one.ref.owner) for one in found.texts}, reason)
    policies = services().policies
    for activation in policies.activate(found.texts, tests=found.tests, actor=actor(), reason=reason or ""):
        click.echo(
            f"{activation.tier}/{activation.owner}@{activation.manifest_sha256[:8]}: "
            f"{len(activation.revisions)} policies in force"
        )


@policy_group.command("put")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tier", type=click.Choice(TIERS), default="holder", show_default=True)
@click.option("--owner", required=True, help="Agency whose policy it is; `gateway` for guardrails.")
@review_option
@reported
def put_policy(file: Path, tier: Tier, owner: str, reason: str | None) -> None:
    """Put one policy in force beside the others of its tier and owner; the file's name is its id.

    Where others are in force already, say why nobody reviews it; `policy propose` is the way with a review.

    \b
    Example:
      ipx-gateway policy put port-trademark-border.cedar --owner ipo-xa --without-review "trial system"
    """  # noqa: D301  (click wants the character \b itself)
    _require_reason({(tier, owner)}, reason)
    cedar = file.read_text("utf-8")
    text = PolicyText(PolicyRef(tier, owner, file.stem, revision_of(cedar)), cedar)
    activation = services().policies.put(text, actor=actor(), reason=reason or "")
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


def _require_reason(places: set[tuple[str, str]], reason: str | None) -> None:
    taken = sorted(f"{tier}/{owner}" for tier, owner in places & services().policies.versions().keys())
    if taken and not (reason or "").strip():
        raise click.ClickException(
            f"policies of {', '.join(taken)} are in force: `ipx-gateway policy propose` changes them with a review, "
            "--without-review REASON without one"
        )


for _command in (*policy_folders.COMMANDS, *policy_changes.COMMANDS, *policy_sight.COMMANDS):
    policy_group.add_command(_command)
