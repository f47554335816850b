"""A data subject's request in the auditor's console: a list that can be printed and handed over."""

import svcs
from flask import render_template, request
from flask.typing import ResponseReturnValue

from gateway.auditor.addresses import ROLE
from gateway.auditor.scope import of_person
from gateway.auditor.subjects import Subjects
from gateway.errors import InvalidInputError
from gateway.people.access import current_person, needs


@needs(ROLE)
def subjects() -> ResponseReturnValue:
    """Ask for the person's number; it is sent in a form, so that it stands in no address and no log of addresses."""
    return render_template("audit/subjects.html", found=None, identifier="", faults=[])


@needs(ROLE)
def subject_list() -> ResponseReturnValue:
    """List who was given records about the person."""
    identifier = request.form.get("identifier", "")
    scope = of_person(current_person())
    try:
        found = svcs.flask.get(Subjects).readers(scope, identifier)
    except InvalidInputError as error:
        return render_template("audit/subjects.html", found=None, identifier=identifier, faults=error.faults), 422
    return render_template("audit/subjects.html", found=found, identifier=identifier, faults=[], scope=scope)
