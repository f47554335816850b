"""What waits for a person, or is late: each slice says what it knows, the start page shows it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flask import Flask, current_app

from gateway.people.access import SignedIn


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the start page, with where to go."""

    text: str
    href: str
    is_late: bool = False


Provider = Callable[[SignedIn], Iterable[Waiting]]
"""Gives what waits for this person; nothing for others."""


def add(app: Flask, provider: Provider) -> None:
    """Let the start page ask a slice what waits."""
    app.extensions.setdefault("waiting", []).append(provider)


def waiting(person: SignedIn) -> list[Waiting]:
    """Ask everybody what waits for a person."""
    providers: list[Provider] = current_app.extensions.get("waiting", [])
    return [one for provider in providers for one in provider(person)]
