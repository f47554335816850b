"""What every page of the consoles stands on: the base template's words, macros, headers, languages, error pages."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, make_response, render_template, request
from flask_babel import gettext as _
from jinja2 import ChoiceLoader, PackageLoader, PrefixLoader

from gateway.clock import utc_now
from gateway.errors import Fault
from gateway.web import about, assets, headers, language, navigation
from gateway.web.labels import label, problem_cure, problem_title
from gateway.web.problem import show_problems_as_pages, trace_id
from gateway.web.problem_kinds import PROBLEMS

PAGES: Final = ("/admin", "/audit", "/account", "/sign-in", "/sign-out", "/set-up", "/about")
"""Paths below which an error is a page whatever the caller says it accepts."""

CONSOLES: Final = {
    "admin": frozenset({"administrator", "policy_editor", "policy_approver", "release_officer", "operator"}),
    "audit": frozenset({"auditor"}),
}

State = Callable[[], Sequence[str]]
"""Gives short words for the foot of each page: which policy is in force, how long the log is."""


def install(app: Flask, state: State = tuple) -> None:
    """Let an application have pages.

    Raises:
        SettingsError: the front end was not built, or a file of it is not what was built.
    """
    app.extensions["assets"] = assets.read_assets()
    app.extensions.setdefault("console_sections", {})
    own = app.jinja_loader
    kit = PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")})
    app.jinja_loader = ChoiceLoader([own, kit] if own else [kit])
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(assets.blueprint())
    language.install(app)
    app.register_blueprint(about.blueprint())
    app.context_processor(lambda: _words(app, state))
    show_problems_as_pages(app, wants_page, problem_page)


def wants_page() -> bool:
    """Whether an error is told as a page: below the consoles, and to browsers anywhere but in the API."""
    path = request.path
    if path.startswith(tuple(f"{folder}/" for folder in PAGES)) or path in PAGES:
        return True
    is_api = path.startswith(("/v1", "/oauth", "/log", "/witness", "/.well-known"))
    accepted = request.headers.get("Accept", "")
    return not is_api and "text/html" in accepted


def problem_page(slug: str, status: int, faults: Sequence[Fault]) -> Response:
    """Tell an error to a person."""
    page = render_template(
        "problem.html",
        slug=slug,
        status=status,
        title=problem_title(slug, PROBLEMS[slug].title),
        cure=problem_cure(slug, PROBLEMS[slug].cure),
        listed=faults,
        trace_id=trace_id(),
    )
    return make_response(page, status)


def render_form(template: str, faults: Sequence[Fault] = (), **context: Any) -> Response:
    """Show a form, or show it again with what is wrong with it (then 422)."""
    page = render_template(template, faults=faults, **context)
    return make_response(page, 422 if faults else 200)


def is_partial() -> bool:
    """Whether htmx asks for a part of the page; its own boosted navigation gets the whole one."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def this_page(**changes: str) -> str:
    """Address of the page that is shown, with some of its query changed."""
    query = {**request.args.to_dict(flat=False), **{name: [value] for name, value in changes.items()}}
    if "lang" not in changes:
        query.pop("lang", None)
    if "theme" not in changes:
        query.pop("theme", None)
    pairs = [(name, value) for name, values in query.items() for value in values]
    return request.path + (f"?{urlencode(pairs)}" if pairs else "")


def fault_text(fault: Fault) -> str:
    """Say a fault in the reader's language where its code has a sentence; else as the service said it."""
    said = label("fault", fault.code)
    return said if said != fault.code else fault.detail


def _words(app: Flask, state: State) -> dict[str, Any]:
    built: assets.Assets = app.extensions["assets"]
    sections = app.extensions["console_sections"]
    return {
        "asset": built.address,
        "csp_nonce": headers.nonce,
        "cspNonce": headers.nonce(),
        "language": language.language,
        "languages": language.LANGUAGES,
        "html_language": language.html_language,
        "theme": language.theme,
        "themes": _themes,
        "this_page": this_page,
        "console_navigation": lambda console, person: navigation.items(sections, console, person),
        "consoles_of": lambda roles: _consoles(sections, roles),
        "home_address": _home_address,
        "gateway_version": version("ipx-gateway"),
        "gateway_state": state,
        "page_origin": lambda: g.get("origin", ""),
        "now": lambda: utc_now().strftime("%Y-%m-%d %H:%M UTC"),
        "label": label,
        "fault_text": fault_text,
    }


def _themes() -> list[tuple[str, str]]:
    return [("auto", _("as the browser")), ("light", _("light")), ("dark", _("dark"))]


def _consoles(sections: dict[str, Any], roles: frozenset[str]) -> list[dict[str, str]]:
    names = {"admin": (_("Administration"), "/admin/"), "audit": (_("Audit"), "/audit/")}
    return [
        {"console": console, "text": names[console][0], "href": names[console][1]}
        for console, allowed in CONSOLES.items()
        if console in sections and roles & allowed
    ]


def _home_address(person: Any) -> str:
    if person is None:
        return "/"
    found = _consoles(current_app.extensions["console_sections"], person.roles)
    return found[0]["href"] if found else "/account"
