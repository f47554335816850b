"""What views of the consoles ask: who is signed in, and may they. Import this, and nothing else of this slice."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, ParamSpec
from urllib.parse import quote

from flask import current_app, g, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.wrappers import Response

from gateway.people.errors import NotAllowedError, NotSignedInError
from gateway.people.models import Person

Parameters = ParamSpec("Parameters")
View = Callable[Parameters, ResponseReturnValue]

FRESH_SECONDS: Final = 300
SIGN_IN: Final = "/sign-in"
CONFIRM: Final = "/sign-in/confirm"
SET_UP: Final = "/account/set-up"
ACCOUNT: Final = "/account"
HOME: Final = "/account/home"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person behind this request, as the database has them at this moment."""

    username: str
    name: str
    agency: str | None
    """None: of the gateway's own authority, nation-wide."""
    roles: frozenset[str]
    language: str | None = None
    theme: str | None = None

    @property
    def actor(self) -> str:
        """Name of this person in audit entries."""
        return f"person:{self.username}"

    @property
    def is_national(self) -> bool:
        return self.agency is None

    def may(self, role: str) -> bool:
        return role in self.roles

    def covers(self, agency: str | None) -> bool:
        """Whether what belongs to this agency is this person's business; None is the whole gateway's."""
        return self.is_national or self.agency == agency


def signed_in() -> SignedIn | None:
    """Give who is signed in, or None: for pages that anybody may see."""
    person = _person()
    if person is None:
        return None
    return SignedIn(person.username, person.name, person.agency_code, person.role_names, person.language, person.theme)


def current_person() -> SignedIn:
    """Give who is signed in.

    Raises:
        NotSignedInError: nobody; a view behind `@needs` never meets it.
    """
    person = signed_in()
    if person is None:
        raise NotSignedInError("sign in first")
    return person


def is_fresh() -> bool:
    """Whether the person proved who they are within the last five minutes."""
    return 0 <= time.time() - float(session.get("fs_paa", 0)) < FRESH_SECONDS


def needs(*roles: str) -> Callable[[View[Parameters]], View[Parameters]]:
    """Let only people in who have any of these roles; without a role named, anybody who is signed in.

    Strangers are sent to sign in; people without a second factor are sent to set one up, unless the gateway relaxes
    that. Whose data the page shows is the view's own matter: see `SignedIn.covers`.

    Raises:
        NotAllowedError: (when called) none of the roles.
    """

    def decorate(view: View[Parameters]) -> View[Parameters]:
        @wraps(view)
        def guarded(*arguments: Parameters.args, **options: Parameters.kwargs) -> ResponseReturnValue:
            person = _person()
            if person is None:
                return away(SIGN_IN)
            if current_app.config["SECURITY_TWO_FACTOR_REQUIRED"] and not _has_second_factor(person):
                return redirect(SET_UP)
            if roles and not person.role_names & set(roles):
                raise NotAllowedError(f"this needs one of the roles {', '.join(roles)}")
            return view(*arguments, **options)

        return guarded

    return decorate


def needs_account(view: View[Parameters]) -> View[Parameters]:
    """Let anybody in who is signed in, with a second factor or before: for the pages that set one up."""

    @wraps(view)
    def guarded(*arguments: Parameters.args, **options: Parameters.kwargs) -> ResponseReturnValue:
        return away(SIGN_IN) if _person() is None else view(*arguments, **options)

    return guarded


def needs_fresh_sign_in(view: View[Parameters]) -> View[Parameters]:
    """Ask for the second look before a dangerous act; put it below `@needs`.

    The person is sent to confirm who they are and comes back to the page, not to the act: what was typed into the form
    is not kept. So the page with the form should ask for it as well.
    """

    @wraps(view)
    def guarded(*arguments: Parameters.args, **options: Parameters.kwargs) -> ResponseReturnValue:
        return view(*arguments, **options) if is_fresh() else away(CONFIRM)

    return guarded


def _has_second_factor(person: Person) -> bool:
    """Whether the person has one here, or showed one upstream."""
    return person.has_second_factor or g.get("sign_in_via") == "upstream"


def _person() -> Person | None:
    user: Any = current_user
    return user._get_current_object() if user and user.is_authenticated else None  # noqa: SLF001


def own_account() -> Person:
    """Give the row of who is signed in, for the pages of their own account.

    Raises:
        NotSignedInError: nobody; a view behind `@needs_account` never meets it.
    """
    person = _person()
    if person is None:
        raise NotSignedInError("sign in first")
    return person


def away(path: str) -> Response:
    """Send to a sign-in page that comes back here; after a POST to the page that held the form."""
    return redirect(f"{path}?next={quote(_page(), safe='/')}", code=303)


def _page() -> str:
    if request.method in {"GET", "HEAD"}:
        return request.full_path.rstrip("?")
    referrer, here = request.referrer or "", request.host_url
    return referrer.removeprefix(here.rstrip("/")) if referrer.startswith(here) else request.path
