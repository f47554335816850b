"""The first administrator comes from the shell; so does all that is done about people."""

import json
import re


def test_the_first_administrator_is_added_and_invited(operator):
    assert "people invite alice" in operator("people", "add", "alice", "--name", "Alice", "--role", "administrator")

    printed = operator("people", "invite", "alice")

    assert re.fullmatch(r"alice: https://gw\.example/set-up/[\w-]{43} \(works once, until .* UTC\)\n", printed)


def test_people_are_listed_shown_changed_suspended_and_resumed(operator):
    operator("people", "add", "alice", "--name", "Alice", "--role", "administrator")
    operator("people", "add", "bob", "--name", "Bob", "--role", "auditor", "--upstream-subject", "b-1")

    listed = [json.loads(line) for line in operator("people", "list", "--json").splitlines()]
    assert [(row["username"], row["roles"], row["signs_in_by"]) for row in listed] == [
        ("alice", ["administrator"], []),
        ("bob", ["auditor"], ["upstream"]),
    ]
    operator("people", "roles", "bob", "--role", "operator", "--role", "auditor")
    assert "auditor, operator" in operator("people", "show", "bob")
    operator("people", "roles", "bob", "--none")
    operator("people", "suspend", "bob", "--reason", "left")
    assert "suspended: left" in operator("people", "show", "bob")
    operator("people", "resume", "bob")
    assert "active" in operator("people", "show", "bob")
    assert operator("people", "sign-ins", "bob", "--json") == ""
    assert operator("people", "end-sign-ins", "bob") == "0 sign-ins of bob ended\n"


def test_what_cannot_be_done_says_why_and_what_would(operator):
    operator("people", "add", "alice", "--name", "Alice", "--role", "administrator")

    assert "people list" in operator("people", "show", "nobody", fails=True)
    assert "another first" in operator("people", "suspend", "alice", "--reason", "x", fails=True)
    assert "--none" in operator("people", "roles", "alice", fails=True)
    assert "agency list" in operator("people", "add", "z9", "--name", "Z", "--agency", "nowhere", fails=True)
