"""`ipx trust`: fetch and look at the trust list that everything is verified against."""

from datetime import datetime
from pathlib import Path

import click

from ipx import trustfile
from ipx.channel import Channel
from ipx.commands.printing import json_option, print_json, table
from ipx.jws import Json
from ipx.trustfile import TrustFile
from ipx.waiting import Patience, Time


@click.group()
def trust() -> None:
    """Fetch and show the trust list: who signs what with which key."""


@trust.command()
@click.argument("url")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the trust file goes. If it exists, its key stays pinned and its version may only rise.",
)
@click.option("--fingerprint", help="What the gateway's operator told you the key's fingerprint is.")
@json_option
def fetch(*, url: str, out: Path, fingerprint: str | None, as_json: bool) -> None:
    """Fetch the gateway's trust list and pin the key that signs it.

    The first fetch takes the key on trust: compare the fingerprint with the gateway's operator over another channel
    (telephone, letter), or give it with --fingerprint. Later fetches into the same file take only lists that the pinned
    key signed, and never an older one.

    \b
    Examples:
      ipx trust fetch https://gw.example --out trust.json
      ipx trust fetch https://gw.example --out trust.json --fingerprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
    """  # noqa: D301  (click wants the character \b itself)
    known = trustfile.read(out) if out.exists() else None
    channel = Channel(url, patience=Patience(), time=Time())
    try:
        fetched = trustfile.fetch(channel, known=known, fingerprint=fingerprint)
    finally:
        channel.close()
    trustfile.write(out, fetched)
    if as_json:
        print_json({"fingerprint": fetched.fingerprint, "version": fetched.trust.version, "file": str(out)})
        return
    click.echo(f"Trust list {fetched.trust.version} is in {out}.")
    if known is not None:
        click.echo(f"It is signed by the pinned key; you had version {known.trust.version}.")
    elif fingerprint is not None:
        click.echo("Its key has the fingerprint that you gave.")
    else:
        click.echo(f"Fingerprint of its key: {fetched.fingerprint}")
        click.echo("Compare it with the gateway's operator over another channel before you rely on this file.")


@trust.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def show(*, file: Path, as_json: bool) -> None:
    """Show who signs what with which key, by a trust file.

    \b
    Example:
      ipx trust show trust.json
    """  # noqa: D301  (click wants the character \b itself)
    read = trustfile.read(file)
    if as_json:
        print_json(as_document(read))
        return
    list_ = read.trust
    click.echo(f"Trust list {list_.version} of {list_.issuer}")
    pin = read.fingerprint or "none: this file was written by hand, nobody signed it"
    witnesses = f"{list_.log.quorum} of {len(list_.log.witnesses)} must cosign" if list_.log.witnesses else "none"
    rows = [
        ("pinned key", pin),
        ("log", list_.log.origin),
        *(("ended log", f"{shard.origin}, with {shard.final.size} entries") for shard in list_.ended if shard.final),
        ("witnesses", witnesses),
        ("time-stamps", f"under {len(list_.tsa_roots)} root certificates" if list_.tsa_roots else "none"),
    ]
    for line in table(rows):
        click.echo(line)
    click.echo("")
    cells = [
        (key.role, key.owner, key.public.alg, key.kid, _until(key.valid_until, key.revoked_at, key.reason))
        for key in list_.keys
    ]
    for line in table([("role", "owner", "alg", "kid", "valid"), *cells]):
        click.echo(line)


def as_document(file: TrustFile) -> dict[str, Json]:
    """Give a trust file for machines."""
    keys: list[Json] = [
        {
            "role": key.role,
            "owner": key.owner,
            "alg": key.public.alg,
            "kid": key.kid,
            "valid_from": _text(key.valid_from),
            "valid_until": _text(key.valid_until),
            "revoked_at": _text(key.revoked_at),
        }
        for key in file.trust.keys
    ]
    return {
        "issuer": file.trust.issuer,
        "version": file.trust.version,
        "fingerprint": file.fingerprint,
        "log": file.trust.log.origin,
        "keys": keys,
    }


def _until(valid_until: datetime | None, revoked_at: datetime | None, reason: str | None) -> str:
    if revoked_at is not None:
        return f"revoked {revoked_at:%Y-%m-%d}" + (f" ({reason})" if reason else "")
    return f"until {valid_until:%Y-%m-%d}" if valid_until is not None else "no end"


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant is not None else None
