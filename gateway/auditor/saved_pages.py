"""Searches under a name, in the auditor's console."""

import svcs
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from gateway.auditor import addresses
from gateway.auditor.addresses import ROLE
from gateway.auditor.saved import KINDS, SavedSearches
from gateway.auditor.scope import of_person
from gateway.errors import AlreadyExistsError, InvalidInputError, UnknownError
from gateway.people.access import current_person, needs


@needs(ROLE)
def save_search() -> ResponseReturnValue:
    """Keep the filter that is shown under a name; `list` in the address says of which list it is."""
    kind = request.args.get("list", "exchanges")
    if kind not in KINDS:
        raise UnknownError("no such list")
    scope = of_person(current_person())
    query = {name: value for name, value in request.form.items() if name not in {"csrf_token", "name", "shared"}}
    try:
        kept = svcs.flask.get(SavedSearches).save(
            scope, request.form.get("name", ""), kind, query, is_shared=request.form.get("shared") == "yes"
        )
    except (InvalidInputError, AlreadyExistsError) as error:
        said = error.faults[0].detail if isinstance(error, InvalidInputError) else gettext("You have one of this name.")
        flash(gettext("The search is not saved: %(reason)s", reason=said), "important")
        return redirect(addresses.address(kind, query), code=303)
    flash(gettext("The search is saved as %(name)s.", name=kept.name), "success")
    return redirect(addresses.address(kind, kept.query), code=303)


@needs(ROLE)
def saved_search(saved_id: str) -> ResponseReturnValue:
    """Open a saved search: its address is a name for the filter's."""
    saved = svcs.flask.get(SavedSearches).show(of_person(current_person()), saved_id)
    return redirect(addresses.address(saved.kind, saved.query))


@needs(ROLE)
def delete_search(saved_id: str) -> ResponseReturnValue:
    scope, searches = of_person(current_person()), svcs.flask.get(SavedSearches)
    kind = searches.show(scope, saved_id).kind
    searches.delete(scope, saved_id)
    flash(gettext("The saved search is deleted."), "success")
    return redirect(url_for(f"audit_pages.{kind}"), code=303)
