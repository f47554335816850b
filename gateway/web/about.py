"""Pages about the pages: whose work is in them, and how accessible they are."""

from flask import Blueprint, current_app, render_template


def blueprint() -> Blueprint:
    """Routes of `/about`; anybody may read them. The templates of the whole room come with it."""
    pages = Blueprint("about", __name__, template_folder="templates", url_prefix="/about")

    @pages.get("/licences")
    def licences() -> str:
        return render_template("about/licences.html", packages=current_app.extensions["assets"].packages)

    @pages.get("/accessibility")
    def accessibility() -> str:
        return render_template("about/accessibility.html")

    return pages
