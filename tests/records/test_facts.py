"""What policies may know of a record, and which states raise the class of its groups."""

from datetime import UTC, date, datetime

import pytest

from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code_table
from gateway.records.facts import PartyKeys, facts
from gateway.records.policy_catalogue import FACTS
from gateway.records.states import Raised, hides_existence, raised

KEYS = PartyKeys(b"k" * 32)
TODAY = date(2026, 11, 25)


def of(record):
    return facts(record, on=TODAY, party_keys=KEYS)


@pytest.mark.parametrize("record_type", sorted(CATALOGUE.types))
def test_every_type_has_exactly_the_facts_policies_are_promised(record_type, record):
    found = of(record(record_type))

    promised = {fact.name for fact in FACTS}
    assert promised - {"happened_on"} <= found.keys() <= promised
    assert found["stage"] in code_table("stage").words
    kinds = {"Bool": bool, "datetime": datetime}
    for fact in FACTS:
        if fact.name in found:
            wanted = frozenset if fact.kind.startswith("Set<") else kinds.get(fact.kind, str)
            assert isinstance(found[fact.name], wanted), fact.name


def test_a_detention_tells_its_stage_right_case_and_that_the_owner_was_notified(record):
    found = of(record("detention"))

    assert found["holder"] == "customs-xa"
    assert found["jurisdiction"] == "XA"
    assert found["stage"] == "seized"
    assert found["notified"] is True
    assert found["right_keys"] == {"EM|trademark|018222197"}
    assert found["case_numbers"] == {"IPC 118/2026"}
    assert found["happened_on"] == datetime(2026, 3, 4, tzinfo=UTC)
    assert of(record("detention", notified_on=None))["notified"] is False


def test_a_party_is_known_by_its_numbers_and_never_by_its_name(record):
    case = of(record("court_case"))
    penalty = of(record("admin_case"))
    same_name = of(record("court_case", parties=[{"name": "Brennick Wholesale Ltd"}], individual_parties=None))

    assert case["parties"] == penalty["parties"] == {KEYS.of("CN.uscc:91110000600037341L")}
    assert same_name["parties"] == frozenset()
    assert "91110000600037341L" not in str(case)


def test_a_key_of_a_party_is_worthless_without_the_secret():
    assert PartyKeys(b"other" * 8).of("lei:213800KUD8LAJWSQ9D15") != KEYS.of("lei:213800KUD8LAJWSQ9D15")
    assert len(KEYS.of("x:1")) == 64


def test_a_register_number_of_a_party_counts_within_its_register_only(record):
    found = of(record("party"))["parties"]

    assert found == {
        KEYS.of("CN.uscc:91110000600037341L"),
        KEYS.of("customs-xa:XA-9913"),
        KEYS.of("XA.register:5501"),
    }


def test_a_right_names_its_own_key(record):
    assert of(record("trademark"))["right_keys"] == {"EM|trademark|018222197"}
    assert of(record("patent", right_kind="utility_model"))["right_keys"] == {"CN|utility_model|202111286633.X"}
    assert of(record("patent", right_kind=None))["right_keys"] == {"CN|patent|202111286633.X"}
    assert of(record("design"))["right_keys"] == {"EM|design|001063002-0001"}


@pytest.mark.parametrize(
    ("record_type", "changed", "stage"),
    [
        ("trademark", {"mark_status": "opposed"}, "applied"),
        ("trademark", {"mark_status": "expired"}, "lapsed"),
        ("trademark", {"mark_status": None}, "registered"),
        ("trademark", {"mark_status": None, "registration_date": None}, "applied"),
        ("patent", {}, "applied"),
        ("patent", {"grant_date": "2023-01-01"}, "granted"),
        ("patent", {"grant_date": "2023-01-01", "st27_state": "ended"}, "lapsed"),
        ("court_case", {"outcome": "settled"}, "settled"),
        ("court_case", {"outcome": "pending", "decided_on": None}, "filed"),
        ("admin_case", {}, "decided"),
        ("admin_case", {"review_outcome": "revoked"}, "revoked"),
        ("settlement", {}, "settled"),
        ("referral", {}, "transferred"),
    ],
)
def test_the_stage_is_one_word_for_every_type(record_type, changed, stage, record):
    assert of(record(record_type, **changed))["stage"] == stage


def test_a_judgment_is_final_from_its_day_unless_an_appeal_is_open(record):
    assert of(record("court_case"))["final"] is True
    assert of(record("court_case", final_on="2026-12-01"))["final"] is False
    pending = of(record("court_case", appeal_status="pending"))
    assert (pending["final"], pending["under_appeal"]) == (False, True)


def test_a_penalty_that_was_revoked_on_review_is_not_final(record):
    assert of(record("admin_case"))["final"] is True
    assert of(record("admin_case", litigation_outcome="revoked"))["final"] is False


def test_consent_counts_when_every_party_gave_it_for_everything_and_it_has_not_run_out(record):
    settled = record("settlement")
    partly = record(
        "settlement", consent_to_share=[{"party_no": 1}, {"party_no": 2, "groups": ["settlement.existence"]}]
    )

    assert of(settled)["consent_all"] is True
    assert facts(settled, on=date(2027, 1, 2), party_keys=KEYS)["consent_all"] is False
    assert of(record("settlement", consent_to_share=[{"party_no": 1}]))["consent_all"] is False
    assert of(record("settlement", consent_to_share=None))["consent_all"] is False
    assert of(record("settlement", parties=None))["consent_all"] is False
    assert of(partly)["consent_all"] is False


def test_an_unpublished_patent_acts_as_sealed_until_the_holder_gives_a_new_revision(record):
    early = datetime(2022, 5, 1, tzinfo=UTC)
    unpublished = record("patent", as_of=early)

    assert of(unpublished)["unpublished"] is True
    assert of(record("patent", publication_date=None))["unpublished"] is True
    assert of(record("patent"))["unpublished"] is False
    assert raised(unpublished, on=TODAY)["patent.biblio"] == Raised("sealed", "unpublished")
    assert "patent.security" not in raised(unpublished, on=TODAY), "it is sealed by itself"


def test_public_groups_of_an_unpublished_penalty_act_as_official(record):
    found = raised(record("admin_case", published_on=None), on=TODAY)

    assert found == {
        "admin_case.decision": Raised("official", "unpublished"),
        "admin_case.respondents": Raised("official", "unpublished"),
    }


@pytest.mark.parametrize(
    ("changed", "deferred"),
    [
        ({}, False),
        ({"deferment_until": "2011-07-12"}, False),
        ({"design_status": "deferred", "deferment_until": "2027-01-01"}, True),
        ({"design_status": "deferred", "deferment_until": "2020-01-01"}, True),
        ({"design_status": None, "deferment_until": "2027-01-01"}, True),
        ({"design_status": "registered", "deferment_until": "2027-01-01"}, False),
    ],
)
def test_deferment_is_the_state_and_not_the_sources_old_flag(changed, deferred, record):
    made = record("design", **changed)

    assert of(made)["deferred"] is deferred
    assert raised(made, on=TODAY).keys() == ({"design.content", "design.classification"} if deferred else set())


def test_a_sealed_record_has_no_open_group(record):
    made = record("court_case", status="sealed")

    assert of(made)["sealed"] is True
    found = raised(made, on=TODAY)
    assert found["court_case.docket"] == found["record.provenance"] == Raised("sealed", "sealed")
    assert found.keys() == {
        name for name, group in CATALOGUE.types["court_case"].groups.items() if group.classification != "sealed"
    }


def test_an_order_over_some_groups_seals_these_from_its_first_day_and_beyond_its_last(record):
    order = {"ref": "IPC 118/2026, order 2", "from": "2026-02-03", "to": "2026-06-30", "groups": ["court_case.damages"]}
    made = record("court_case", sealing_orders=[order])

    assert raised(made, on=TODAY) == {"court_case.damages": Raised("sealed", "sealed")}
    assert raised(made, on=date(2026, 2, 2)) == {}
    assert of(made)["sealed"] is False
    assert raised(record("trademark", sealed_groups=["trademark.owner"]), on=TODAY).keys() == {"trademark.owner"}


def test_an_order_can_hide_that_the_record_exists(record):
    order = {"ref": "order 2", "from": "2026-02-03", "hide_existence": True}

    assert hides_existence(record("court_case", sealing_orders=[order]), on=TODAY)
    assert not hides_existence(record("court_case", sealing_orders=[order]), on=date(2026, 1, 1))
    assert not hides_existence(record("trademark"), on=TODAY)
