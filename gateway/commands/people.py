"""`ipx-gateway people`."""

from typing import Any

import click

from gateway.commands.context import actor, json_option, reported, services, show
from gateway.people.models import Person, SignIn
from gateway.people.roles import ROLES
from gateway.people.service import LINK_HOURS, Invitation

PERSON_COLUMNS = ("username", "name", "agency", "roles", "signs_in_by", "state")
SIGN_IN_COLUMNS = ("id", "since", "seen", "by", "from", "browser")


def person_row(person: Person) -> dict[str, Any]:
    ways = [f"passkey {passkey.name}" for passkey in person.webauthn]
    if person.password is not None:
        ways.append("password and code" if person.tf_totp_secret else "password")
    if person.upstream_subject is not None:
        ways.append("upstream")
    return {
        "username": person.username,
        "name": person.name,
        "agency": person.agency_code,
        "roles": sorted(person.role_names),
        "signs_in_by": ways,
        "recovery_codes": len(person.mf_recovery_codes or []),
        "created_at": person.created_at,
        "state": f"suspended: {person.suspended_reason}" if person.suspended_at else "active",
    }


def sign_in_row(row: SignIn) -> dict[str, Any]:
    return {
        "id": row.id,
        "since": row.began_at,
        "seen": row.seen_at,
        "by": row.via,
        "from": row.address,
        "browser": row.agent,
    }


@click.group("people")
def people_group() -> None:
    """Who may use the consoles, with which roles; `docs/administrators.md` says more."""


@people_group.command("add")
@click.argument("username")
@click.option("--name", required=True, help="As it is to be shown.")
@click.option("--agency", help="Its code; without it the person is of the gateway's own authority, nation-wide.")
@click.option("--role", "roles", multiple=True, type=click.Choice(list(ROLES)), help="Repeat for several.")
@click.option("--upstream-subject", help="`sub` of this person at the upstream identity provider.")
@reported
def add_person(
    username: str, name: str, agency: str | None, roles: tuple[str, ...], upstream_subject: str | None
) -> None:
    """Register a person; `people invite` then makes the link by which they set up how they sign in.

    Example: ipx-gateway people add alice --name "Alice Moreau" --role administrator
    """
    services().people.add(
        username, name=name, agency=agency, roles=roles, upstream_subject=upstream_subject, actor=actor()
    )
    click.echo(f"person {username} added; next: ipx-gateway people invite {username}")


@people_group.command("list")
@click.option("--agency", help="Only people of this agency.")
@json_option
@reported
def list_people(agency: str | None, *, as_json: bool) -> None:
    """List people, of all agencies or of one."""
    show(map(person_row, services().people.people(within=agency)), PERSON_COLUMNS, as_json=as_json)


@people_group.command("show")
@click.argument("username")
@reported
def show_person(username: str) -> None:
    """Show one person: roles, what they sign in with, whether they are suspended."""
    for name, value in person_row(services().people.person(username)).items():
        shown = ", ".join(value) or "-" if isinstance(value, list) else value
        click.echo(f"{name:14} {'-' if shown is None else shown}")


@people_group.command("roles")
@click.argument("username")
@click.option("--role", "roles", multiple=True, type=click.Choice(list(ROLES)), help="Repeat for several.")
@click.option("--none", "is_none", is_flag=True, help="Take all roles away.")
@reported
def set_roles(username: str, roles: tuple[str, ...], *, is_none: bool) -> None:
    """Give a person these roles and no others; wherever they are signed in, that ends.

    Example: ipx-gateway people roles bob --role policy_approver --role auditor
    """
    if bool(roles) == is_none:
        raise click.UsageError("name roles with --role, or say --none")
    services().people.set_roles(username, roles, actor=actor())
    click.echo(f"{username} has: {' '.join(roles) or 'no role'}; all sign-ins ended")


@people_group.command("suspend")
@click.argument("username")
@click.option("--reason", required=True)
@reported
def suspend_person(username: str, reason: str) -> None:
    """Shut a person out at once, whatever they have open."""
    services().people.suspend(username, reason=reason, actor=actor())
    click.echo(f"person {username} suspended; all sign-ins ended")


@people_group.command("resume")
@click.argument("username")
@reported
def resume_person(username: str) -> None:
    """Let a suspended person sign in again."""
    services().people.resume(username, actor=actor())
    click.echo(f"person {username} resumed")


@people_group.command("invite")
@click.argument("username")
@click.option("--reset", is_flag=True, help="They lost what they signed in with: all of it is taken away now.")
@click.option("--hours", default=LINK_HOURS, show_default=True, type=click.IntRange(1, 24 * 14))
@reported
def invite_person(username: str, hours: int, *, reset: bool) -> None:
    """Make the one-time link by which a person sets up a passkey, or password and authenticator.

    Whoever has the link is that person, once: hand it over in person or by a channel you trust. It is shown this once.
    """
    invitation = services().people.invite(username, actor=actor(), reset=reset, hours=hours)
    click.echo(told(invitation, services().settings.console_origin))


def told(invitation: Invitation, origin: str) -> str:
    """Say a one-time link on one line."""
    until = invitation.expires_at.strftime("%Y-%m-%d %H:%M UTC")
    return f"{invitation.username}: {origin}{invitation.path} (works once, until {until})"


@people_group.command("sign-ins")
@click.argument("username")
@json_option
@reported
def list_sign_ins(username: str, *, as_json: bool) -> None:
    """List where a person is signed in, the newest first."""
    show(map(sign_in_row, services().people.sign_ins(username)), SIGN_IN_COLUMNS, as_json=as_json)


@people_group.command("end-sign-ins")
@click.argument("username")
@click.option("--id", "only", multiple=True, help="Only this sign-in; repeat. Without it: all.")
@reported
def end_sign_ins(username: str, only: tuple[str, ...]) -> None:
    """End a person's sign-ins, from their next click on."""
    ended = services().people.end_sign_ins(username, actor=actor(), only=only or None)
    click.echo(f"{ended} sign-ins of {username} ended")
