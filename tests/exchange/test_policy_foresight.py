"""What an operator is told before a policy changes: past exchanges asked again, made-up questions explained."""

import json
import shutil

import pytest
from click.testing import CliRunner

from gateway.cli import main
from policies.bundle_files import BUNDLES
from tests.exchange.approving import CONTACT
from tests.exchange.world import REGULATOR
from tests.governance.people import MARK, draft, narrowed, text_of

QUESTION = {
    "asking": {"code": "customs-xa", "kind": "customs", "jurisdictions": ["XA"]},
    "holder": {"code": "ipo-xa", "kind": "ip_office", "jurisdictions": ["XA"]},
    "record_type": "trademark",
    "purpose": "border_enforcement",
}
OPENING = f"holder/ipo-xa/{MARK}"


@pytest.fixture
def said(one_gateway):
    """Runs `ipx-gateway policy …` on the gateway; gives what was printed."""

    def run(*arguments, fails=False):
        result = CliRunner().invoke(main, ["policy", *map(str, arguments)], obj=one_gateway.services)
        assert (result.exit_code != 0) == fails, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output

    return run


@pytest.fixture
def folder(tmp_path):
    """The shipped policies of one office."""
    shutil.copytree(BUNDLES / "holder" / "ipo-xa", tmp_path / "policies" / "holder" / "ipo-xa")
    return tmp_path / "policies"


@pytest.fixture
def explained(said, tmp_path):
    """Explains a question; gives what is told about it."""

    def explain(document, *options):
        file = tmp_path / "question.json"
        file.write_text(json.dumps(document))
        return json.loads(said("explain", file, *options))

    return explain


@pytest.fixture(scope="module")
def asked(one_gateway):
    """Two exchanges of customs, and one of somebody whom the policy of customs is not about."""
    answers = [one_gateway.ask(), one_gateway.ask(), one_gateway.ask(REGULATOR, purpose="market_surveillance")]
    return [answer.evidence.exchange for answer in answers]


def narrow(folder):
    file = folder / "holder" / "ipo-xa" / f"{MARK}.cedar"
    file.write_text(narrowed(file.read_text()))


def rows_of(printed):
    return {row["agency"]: row for row in map(json.loads, printed.splitlines()[1:])}


def test_a_folder_that_says_what_is_in_force_changes_nothing_in_the_past(said, asked, folder):
    printed = said("replay", folder)

    assert f"holder/ipo-xa: {len(asked)} replayed, {len(asked)} unchanged, 0 not replayable" in printed


def test_who_would_lose_which_group_is_told_of_past_exchanges(said, asked, folder):
    narrow(folder)

    printed = said("replay", folder, "--json")
    table = said("replay", folder)

    rows = rows_of(printed)
    assert rows["customs-xa"]["lost"] == {"trademark.owner": 2}
    assert [rows["customs-xa"][count] for count in ("groups", "newly_denied", "newly_allowed")] == [2, 0, 0]
    assert (rows["regulator-xa"]["replayed"], rows["regulator-xa"]["lost"]) == (1, {})
    assert "holder/ipo-xa: 3 replayed, 1 unchanged, 0 not replayable" in table
    assert "trademark.owner" in table


def test_a_replay_goes_no_further_back_than_it_is_told(said, asked, folder):
    narrow(folder)

    assert "1 replayed" in said("replay", folder, "--limit", 1)
    assert "0 replayed" in said("replay", folder, "--days", 0)


def test_a_folder_that_cannot_be_read_is_refused_in_a_sentence(said, folder):
    (folder / "holder" / "ipo-xa" / f"{MARK}.cedar").write_bytes(b"\xff\xfe")

    assert f"holder/ipo-xa/{MARK}.cedar is no text in UTF-8" in said("replay", folder, fails=True)


def test_a_made_up_question_is_explained_by_the_policies_in_force(explained):
    told = explained({"question": QUESTION})

    groups = {one["group"]: one["is_disclosed"] for one in told["groups"]}
    assert told["outcome"] == "released"
    assert (groups["trademark.owner"], groups[CONTACT]) == (True, False)
    assert OPENING in {one["ref"].split("@")[0] for one in told["policies"] if one["decides"]}
    assert explained(QUESTION) == told


def test_a_denial_is_explained_with_what_would_change_it(explained):
    told = explained({**QUESTION, "purpose": "market_surveillance"})

    assert told["outcome"] == "denied"
    assert OPENING in {ref.split("@")[0] for ref in told["within_reach"]}


def test_a_made_up_question_is_explained_by_the_policies_of_a_change(one_gateway, explained):
    change = draft(one_gateway, {MARK: narrowed(text_of(one_gateway))})

    told = explained(QUESTION, "--change", change.id)

    assert not {one["group"]: one["is_disclosed"] for one in told["groups"]}["trademark.owner"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "an object is needed"),
        (b'"question"', "an object is needed"),
        (b'{"question": 7}', "/question: must be an object"),
        (b'{"record_type": "trademark"}', "/question/purpose: is missing"),
        (json.dumps({**QUESTION, "asking": "customs-xa"}).encode(), "/question/asking: must be an object"),
        (json.dumps({**QUESTION, "now": 5}).encode(), "/question: a member is missing or of the wrong kind"),
    ],
)
def test_what_is_no_question_is_refused_in_a_sentence(said, tmp_path, content, complaint):
    file = tmp_path / "question.json"
    file.write_bytes(content)

    printed = said("explain", file, fails=True)

    assert "not taken:" in printed
    assert complaint in printed


def test_a_question_that_does_not_fit_the_catalogue_is_denied_and_says_so(explained):
    told = explained({**QUESTION, "record_type": "no_such_type"})

    assert (told["outcome"], told["refused_by"]) == ("denied", "error")
