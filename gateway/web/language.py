"""In which language and colours a page is: by link, cookie, account, browser; and where the translations are."""

from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, Response, current_app, g, request
from flask_babel import Babel

from gateway.web.current import current_request

LANGUAGES: Final = {"en": "English", "zh_Hans_CN": "简体中文"}
HTML_LANGUAGES: Final = {"en": "en", "zh_Hans_CN": "zh-Hans-CN"}
THEMES: Final = ("auto", "light", "dark")
YEAR_SECONDS: Final = 365 * 24 * 3600
ROOM: Final = Path(__file__).parent.parent

Taste = Callable[[], tuple[str | None, str | None]]
"""Gives language and theme as the person who is signed in wants them, None where they said nothing."""


def install(app: Flask) -> None:
    """Let templates and views translate, and remember what a reader chose by `?lang=` or `?theme=`."""
    folders = sorted({path.parents[2] for path in ROOM.glob("**/translations/*/LC_MESSAGES/messages.po")})
    for folder in folders:
        compile_catalogues(folder)
    Babel(
        app,
        default_translation_directories=";".join(str(folder) for folder in folders),
        locale_selector=language,
    )
    app.extensions.setdefault("taste", lambda: (None, None))
    app.after_request(_remember)


def remember_taste_of(app: Flask, taste: Taste) -> None:
    """Let the slice that knows people say what they prefer."""
    app.extensions["taste"] = taste


def language() -> str:
    """Give the language of this answer."""
    if "language" not in g:
        asked = (request.args.get("lang"), request.cookies.get("lang"), _taste()[0])
        g.language = _first(asked, LANGUAGES) or _accepted()
    return str(g.language)


def html_language(code: str | None = None) -> str:
    """Write a language as HTML does (BCP 47)."""
    return HTML_LANGUAGES[code or language()]


def theme() -> str:
    """Give the colours of this page; `auto` leaves them to the browser."""
    asked = (request.args.get("theme"), request.cookies.get("theme"), _taste()[1])
    return _first(asked, THEMES) or "auto"


def compile_catalogues(folder: Path) -> None:
    """Write each catalogue's binary form where it is missing or older; a read-only installation brings its own."""
    for source in folder.glob("*/LC_MESSAGES/messages.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parents[1].name)
        try:
            with (made := target.with_suffix(".mo.new")).open("wb") as file:
                write_mo(file, catalogue)
            made.replace(target)
        except OSError:
            if not target.exists():
                raise


def _first(asked: Iterable[str | None], known: Container[str]) -> str | None:
    return next((choice for choice in asked if choice is not None and choice in known), None)


def _accepted() -> str:
    best = request.accept_languages.best_match(["en", "zh-CN", "zh-Hans", "zh-SG", "zh"], "en")
    return "zh_Hans_CN" if best.startswith("zh") else "en"


def _taste() -> tuple[str | None, str | None]:
    taste: Taste = current_app.extensions["taste"]
    return taste()


def _remember(response: Response) -> Response:
    if not current_request().query_string or response.mimetype != "text/html":
        return response
    choices: tuple[tuple[str, Container[str]], ...] = (("lang", LANGUAGES), ("theme", THEMES))
    for name, known in choices:
        chosen = request.args.get(name)
        if chosen is not None and chosen in known:
            response.set_cookie(
                name, chosen, max_age=YEAR_SECONDS, secure=request.is_secure, httponly=True, samesite="Lax"
            )
            response.headers["Cache-Control"] = "no-store"
    return response
