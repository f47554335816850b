"""People of the demo world for tests of the consoles, and a way to be signed in as one of them without the ceremony."""

import time

from flask.testing import FlaskClient

from gateway.people.models import Person

ACTOR = "operator:tests"
PEOPLE = {
    "alice": ("Alice Moreau", None, ("administrator", "policy_editor")),
    "bob": ("Bob Lindqvist", None, ("policy_approver",)),
    "carol": ("Carol Adeyemi", None, ("auditor",)),
    "dora": ("Dora Kim", "customs-xa", ("auditor",)),
    "otto": ("Otto Brandt", "ipo-xa", ("release_officer",)),
    "edna": ("Edna Silva", "ipo-xa", ("policy_editor",)),
    "paul": ("Paul Okafor", "ipo-xa", ("policy_approver",)),
    "adam": ("Adam Novak", "ipo-xa", ("administrator",)),
    "olga": ("Olga Petrova", None, ("operator",)),
}


def add_people(services) -> None:
    """Register everybody; each has a second factor on paper, so that only the ceremony itself is left out."""
    for username, (name, agency, roles) in PEOPLE.items():
        services.people.add(username, name=name, agency=agency, roles=roles, actor=ACTOR)
    with services.database.write() as session:
        for person in session.query(Person):
            person.password, person.tf_totp_secret, person.tf_primary_method = "!", "!", "authenticator"


class Browser(FlaskClient):
    """A test client whose addresses are those of the gateway."""

    origin = ""

    def open(self, *arguments, **options):
        if arguments and isinstance(arguments[0], str):
            options.setdefault("base_url", self.origin)
        return super().open(*arguments, **options)


def browser(gateway) -> Browser:
    gateway.app.test_client_class = Browser
    client = gateway.app.test_client()
    client.origin = gateway.settings.origin
    return client


def sign_in(services, client, username, *, fresh=True) -> None:
    """Give a test client the session of somebody who signed in, a moment ago or half an hour ago."""
    person = services.people.person(username)
    with services.database.write() as transaction:
        token = services.sign_ins.begin(transaction, person, via="passkey", address="127.0.0.1", agent="tests")
    with client.session_transaction(base_url=services.settings.origin) as session:
        session["sign_in"] = token
        session["_user_id"] = person.fs_uniquifier
        session["_fresh"] = True
        session["fs_paa"] = time.time() - (0 if fresh else 1800)
