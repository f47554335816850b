"""The auditor's pages: found in three steps, no more shown than the scope holds, each look itself on record."""

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.auditor.pages import blueprint
from gateway.auditor.scope import Scope
from ipx import evidence
from tests.exchange.recall_calls import allow, make
from tests.exchange.test_flags import planted_flag
from tests.exchange.test_subjects import OWNER, party
from tests.exchange.world import CUSTOMS, MARK, OFFICE
from tests.web.people import browser

RIGHT = f"XA|trademark|{MARK}"


@pytest.fixture
def exchanges(gateway):
    """What customs asked the office, and what the office asked another one: nothing of customs."""
    own = gateway.ask(case_ref="CX-118").evidence.exchange
    foreign = gateway.ask(OFFICE, "ipo-xb", "trademark", "2023889012", purpose="examination").evidence.exchange
    gateway.services.auditing.indexer.catch_up()
    return own, foreign


@pytest.fixture
def carol(client, signed_in):
    return signed_in(client, "carol")


@pytest.fixture
def dora(gateway, signed_in):
    return signed_in(browser(gateway), "dora")


def text_of(reply):
    return html.unescape(reply.get_data(as_text=True))


def test_an_auditor_goes_from_the_front_page_to_evidence_that_verifies(gateway, carol, exchanges):
    own, _ = exchanges
    front = carol.get("/audit/", follow_redirects=True)
    found = carol.get("/audit/exchanges", query_string={"right": RIGHT, "requester": "customs-xa", "outcome": ""})
    opened = carol.get(f"/audit/exchanges/{own}")
    taken = carol.get(f"/audit/exchanges/{own}/evidence")

    assert own[:13] in text_of(front)
    assert "1 exchange." in text_of(found)
    assert own[:13] in text_of(found)
    assert "proved from its tiles just now" in text_of(opened)
    assert "trademark.owner.contact" in text_of(opened) or "withheld" in text_of(opened).lower()
    now = gateway.services.clock() + timedelta(days=1)
    assert evidence.verify(taken.data, gateway.trust, now=now).exchange == own


def test_an_agency_s_auditor_sees_its_own_side_on_every_page(gateway, dora, exchanges):
    own, foreign = exchanges
    pages = [
        dora.get(path)
        for path in ("/audit/exchanges", "/audit/reports", "/audit/exchanges/file", "/audit/exchanges?requester=ipo-xa")
    ]

    for page in pages:
        assert foreign not in text_of(page)
        assert foreign[:13] not in text_of(page) or own[:13] == foreign[:13]
    assert "ipo-xb" not in re.sub(r"<select.*?</select>", "", text_of(pages[1]), flags=re.DOTALL)
    assert dora.get(f"/audit/exchanges/{own}").status_code == 200
    assert dora.get(f"/audit/exchanges/{foreign}").status_code == 404
    assert dora.get(f"/audit/exchanges/{foreign}/evidence").status_code == 404


def test_only_auditors_get_in(gateway, client, signed_in):
    paths = [
        rule.rule.replace("<exchange_id>", "x").replace("<recall_id>", "x").replace("<saved_id>", "x")
        for rule in gateway.app.url_map.iter_rules()
        if rule.endpoint.startswith(f"{blueprint().name}.")
    ]
    assert len(paths) >= 10
    for username in ("alice", "bob", "otto", "olga"):
        signed_in(client, username)
        for path in paths:
            assert client.open(path, method="POST" if "searches" in path else "GET").status_code in {400, 403, 405}, (
                path
            )
    stranger = browser(gateway)
    assert stranger.get("/audit/exchanges").status_code == 303


def test_an_exchange_says_that_its_record_was_called_back_in_both_languages(gateway, carol, dora, exchanges):
    own, _ = exchanges
    allow(gateway, OFFICE)
    recall_id = make(gateway, reason="entered twice").json()["id"]
    day = f"{gateway.services.clock():%Y-%m-%d}"

    english, chinese = (text_of(dora.get(f"/audit/exchanges/{own}?lang={lang}")) for lang in ("en", "zh_Hans_CN"))
    dora.get("/audit/?lang=en")
    opened = text_of(dora.get(f"/audit/recalls/{recall_id}"))
    listed = text_of(carol.get("/audit/recalls?state=open"))

    assert f"by the holder on {day}" in english
    assert "0 of 1 acknowledged" in english
    assert f"持有机构于 {day} 作出" in chinese
    assert "1 个机构中 0 个已确认" in chinese
    assert "entered twice" in opened
    assert own in opened
    assert recall_id in listed
    assert carol.get("/audit/recalls?state=lost").status_code == 422


def test_looks_are_on_record_and_shown_to_the_next_auditor(gateway, carol, dora, exchanges):
    own, _ = exchanges
    carol.get(f"/audit/exchanges/{own}")
    carol.get("/audit/exchanges/file?requester=customs-xa")
    seen = dora.get(f"/audit/exchanges/{own}")

    assert "person:carol" in text_of(seen)
    with gateway.services.database.read() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.actor == "person:carol")).all()
    assert {"audit.opened", "audit.exported"} <= set(acts)
    assert "audit.exported" in text_of(carol.get("/audit/acts?act=audit")) or "file" in text_of(
        carol.get("/audit/acts?act=audit")
    )


def test_a_filter_that_cannot_be_read_is_told_beside_its_field(carol):
    page = carol.get("/audit/exchanges?since=yesterday")

    assert page.status_code == 422
    assert 'href="#since"' in text_of(page)
    assert 'id="since-error"' in text_of(page)


def test_older_exchanges_follow_and_a_cursor_of_another_filter_is_refused(gateway, carol):
    for _ in range(51):
        gateway.ask()
    first = carol.get("/audit/exchanges?requester=customs-xa")
    older = re.search(r'rel="next" href="([^"]+)"', first.get_data(as_text=True))[1]
    second = carol.get(html.unescape(older))

    assert "51 exchanges" in text_of(first)
    assert "1 older" in text_of(second)
    assert carol.get(html.unescape(older).replace("customs-xa", "court-xa")).status_code == 422


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("exchanges", {"requester": "customs-xa"}),
        ("decisions", {"outcome": "denied", "policy_version": "ipo-xa@00000000"}),
        ("acts", {"act": "person.added", "agency": "customs-xa"}),
        ("sign-ins", {"person": "carol", "outcome": "signed_in"}),
        ("recalls", {"kind": "recalled", "record_type": "trademark", "state": "open"}),
    ],
)
def test_a_search_of_any_list_is_saved_under_a_name_opened_again_and_deleted(carol, kind, wanted):
    found = carol.get(f"/audit/{kind}", query_string=wanted)
    action = re.search(r'action="(/audit/searches[^"]*)"', text_of(found))[1]
    hidden = dict(re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', text_of(found).split(action)[1]))
    saved = carol.post(action, data={**hidden, "name": "Mine", "shared": "yes"}, follow_redirects=True)
    address = re.search(r'href="(/audit/searches/[^"]+)">Mine<', text_of(saved))[1]
    opened = carol.get(address, follow_redirects=True)
    others = [text_of(carol.get(f"/audit/{other}")) for other in ("exchanges", "sign-ins", "recalls") if other != kind]
    chinese = text_of(carol.get(f"/audit/{kind}?lang=zh_Hans_CN"))
    deleted = carol.post(f"{address}/delete", data={"csrf_token": hidden["csrf_token"]})

    assert "saved as Mine" in text_of(saved)
    assert (opened.request.path, opened.request.args.to_dict()) == (f"/audit/{kind}", wanted)
    assert not any(address in page for page in others)
    assert "删除 Mine" in chinese
    assert (deleted.status_code, deleted.headers["Location"]) == (303, f"/audit/{kind}")
    assert carol.get(address).status_code == 404
    assert carol.post("/audit/searches?list=flags", data={**hidden, "name": "Flags"}).status_code == 404


def test_a_saved_search_of_a_colleague_is_opened_and_only_its_owner_is_offered_to_delete_it(gateway, carol, dora):
    searches = gateway.services.auditing.saved
    of_jo, of_dora = (
        searches.save(Scope(f"person:{name}", "customs-xa"), name, "recalls", {"state": "overdue"}, is_shared=True).id
        for name in ("jo", "dora")
    )
    page = text_of(dora.get("/audit/recalls"))

    assert f"/audit/searches/{of_jo}" in page
    assert f"/audit/searches/{of_jo}/delete" not in page
    assert f"/audit/searches/{of_dora}/delete" in page
    assert f"/audit/searches/{of_jo}" not in text_of(carol.get("/audit/recalls"))


def test_reports_count_what_there_is_and_lead_to_it(carol, exchanges):
    page = text_of(carol.get("/audit/reports"))

    assert "2 exchanges" in page
    pair = re.search(r'href="(/audit/exchanges\?[^"]*requester=customs-xa[^"]*holder=ipo-xa[^"]*)"', page) or re.search(
        r'href="(/audit/exchanges\?[^"]*holder=ipo-xa[^"]*requester=customs-xa[^"]*)"', page
    )
    assert "1 exchange." in text_of(carol.get(pair[1]))
    for caption in (
        "Who asks whom",
        "Exchanges a day",
        "Outcomes by version of policies",
        "Purposes by agency",
        "Slowest",
    ):
        assert caption in page
    for kind in ("record_type", "policy_version", "purpose", "holder"):
        address = re.search(rf'href="(/audit/exchanges\?[^"]*{kind}=[^"]*)"', page)[1]
        assert re.search(r"\d exchanges?\.", text_of(carol.get(address))), kind
    assert carol.get("/audit/reports?since=2020-01-01&until=2026-01-01").status_code == 422


def test_part_of_a_day_is_counted_and_leads_to_what_was_counted(gateway, carol, exchanges):
    now = gateway.services.clock()
    first = (now - timedelta(days=2)).replace(hour=1, minute=2)
    since, until = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (first, now + timedelta(hours=1)))
    page = text_of(carol.get("/audit/reports", query_string={"since": since, "until": until}))
    links = re.findall(r'href="(/audit/exchanges\?[^"]*)">(\d{4}-\d\d-\d\d)<.*?numeric">(\d+)', page)

    assert {day for _, day, _ in links} >= {f"{now - timedelta(days=days):%Y-%m-%d}" for days in range(3)}
    assert sum(int(count) for _, _, count in links) == len(exchanges)
    for address, _, count in links:
        assert re.search(rf"\b{count} exchanges?\.", text_of(carol.get(address))), address
    assert carol.get(links[1][0]).request.args["since"] == links[1][1]  # a whole day is named by its day
    assert carol.get(links[0][0]).request.args["since"] == since


def test_a_later_head_is_proved_to_continue_an_earlier_one(gateway, carol):
    sizes = []
    for _ in range(2):
        gateway.ask()
        sizes.append(gateway.services.published.newest().size)
    old, new = sizes
    proved = carol.get(f"/audit/log?old={old}&new={new}")

    assert f"The log of {new} entries begins with the log of {old}" in text_of(proved)
    assert "begins with the log of 2" in text_of(carol.get(f"/audit/log?old=2&new={new - 1}"))  # no head of either
    assert f"each is under the signed head of {new} entries" in text_of(carol.get(f"/audit/log?first=0&last={new - 1}"))
    assert "none: every entry" in text_of(proved)
    onward = re.search(r'href="([^"]+)">Verify the next ones<', text_of(carol.get("/audit/log?first=0&last=1")))[1]
    assert f"Entries 2 to {new - 1} were hashed anew" in text_of(carol.get(onward))
    for wrong in ("first=3&last=1", f"first=0&last={new}", "first=0", "first=0&last=1000"):
        assert carol.get(f"/audit/log?{wrong}").status_code == 422
    for wrong in (f"old={new}&new={old}", "old=x&new=1", f"old={old}&new=99999"):
        assert carol.get(f"/audit/log?{wrong}").status_code == 422


def test_an_exchange_of_an_unknown_id_is_a_page_that_says_so(carol):
    page = carol.get("/audit/exchanges/019ab2c0-0000-7000-8000-000000000001")

    assert page.status_code == 404
    assert page.content_type.startswith("text/html")


@pytest.mark.parametrize("path", ["/audit/exchanges", "/audit/acts", "/audit/reports", "/audit/log"])
def test_pages_speak_chinese(carol, exchanges, path):
    page = text_of(carol.get(path, query_string={"lang": "zh_Hans_CN"}))

    assert 'lang="zh-Hans-CN"' in page
    assert re.search(r"交换|操作|报告|日志", page)


def test_a_client_is_found_by_its_name(carol, exchanges):
    assert "1 exchange." in text_of(carol.get(f"/audit/exchanges?client={CUSTOMS}"))


def test_a_flag_is_read_in_words_marked_and_leads_to_its_exchanges(gateway, carol, exchanges):
    flag = planted_flag(gateway.services)
    listed = carol.get("/audit/flags?status=open")
    page = carol.get(f"/audit/flags/{flag}")
    token = re.search(r'name="csrf_token" value="([^"]+)"', text_of(page))[1]
    seen = re.search(r'name="version" value="([0-9a-f]{32})"', text_of(page))[1]
    form = {
        "csrf_token": token,
        "version": seen,
        "status": "looked_into",
        "assignee": "person:carol",
        "note": "asked customs",
    }
    marked = carol.post(f"/audit/flags/{flag}", data=form, follow_redirects=True)

    assert flag in text_of(listed)
    assert "99 requests on this day; usual for this agency are 9 a day." in text_of(page)
    assert "/audit/exchanges?requester=customs-xa&since=2026-11-24&until=2026-11-24" in text_of(page)
    assert "being looked into" in text_of(marked)
    assert "asked customs" in text_of(marked)
    assert "marked a flag" in text_of(carol.get(f"/audit/acts?subject=flag:{flag}"))
    assert carol.post(f"/audit/flags/{flag}", data={**form, "assignee": "person:otto"}).status_code == 422
    assert carol.post(f"/audit/flags/{flag}", data={**form, "note": "an older form"}).status_code == 412
    assert "an older form" not in text_of(carol.get(f"/audit/flags/{flag}"))
    assert carol.get("/audit/flags?kind=rain").status_code == 422
    for query, number in (("assignee=person:carol", 1), ("assignee=person:dora", 0), ("requester=court-xa", 0)):
        assert (flag in text_of(carol.get(f"/audit/flags?{query}"))) == bool(number), query
    assert "异常数量" in text_of(carol.get("/audit/flags?lang=zh_Hans_CN"))


def test_an_entry_that_was_changed_or_is_gone_is_seen_on_the_page_of_the_log(gateway, carol):
    gateway.ask()
    size = gateway.services.published.newest().size
    with gateway.services.database.writer.begin() as connection:
        for name in [
            row[0]
            for row in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_entry'"
            )
        ]:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE log_entry SET entry = x'78' WHERE idx = 1")
        connection.exec_driver_sql("DELETE FROM log_entry WHERE idx = 2")
    page = text_of(carol.get(f"/audit/log?first=0&last={size - 1}"))

    assert "not proved" in page
    assert "entry 1:" in page
    assert "1 entry is missing" in page
    assert "entry 2 is missing" in text_of(carol.get("/audit/log?first=2&last=2"))


def test_who_read_a_person_s_records_is_a_list_to_be_printed(gateway, carol, dora, exchanges):
    own, foreign = exchanges
    for exchange in exchanges:
        party(gateway, exchange)
    token = re.search(r'name="csrf_token" value="([^"]+)"', text_of(carol.get("/audit/subjects")))[1]
    listed = carol.post("/audit/subjects", data={"csrf_token": token, "identifier": OWNER})
    token = re.search(r'name="csrf_token" value="([^"]+)"', text_of(dora.get("/audit/subjects")))[1]
    of_customs = dora.post("/audit/subjects", data={"csrf_token": token, "identifier": OWNER})

    assert "2 records were handed over" in text_of(listed)
    assert foreign in text_of(listed)
    assert own in text_of(of_customs)
    assert foreign not in text_of(of_customs)
    assert dora.post("/audit/subjects", data={"csrf_token": token, "identifier": ""}).status_code == 422


def test_sign_ins_and_decisions_are_lists_of_their_own(carol, exchanges):
    own, _ = exchanges
    signed_in = text_of(carol.get("/audit/sign-ins?person=carol&outcome=signed_in"))
    decided = text_of(carol.get("/audit/decisions?case=CX-118"))
    chinese = text_of(carol.get("/audit/decisions?case=CX-118&lang=zh_Hans_CN"))

    assert re.search(r"\d+ sign-ins?\.", signed_in)
    assert "signed in</strong>" in signed_in
    assert "1 decision." in decided
    assert f"/audit/exchanges/{own}" in decided
    assert re.search(r"/audit/decisions\?policy_version=ipo-xa", decided)
    assert "1 项决定" in chinese
    for path in ("/audit/decisions?since=yesterday", "/audit/sign-ins?outcome=lost"):
        assert carol.get(path).status_code == 422


def test_an_exchange_says_which_groups_went_out(carol, exchanges):
    page = text_of(carol.get(f"/audit/exchanges/{exchanges[0]}"))

    assert "customs-xa asked ipo-xa for trademarks, for the purpose “border enforcement”." in page
    released = re.search(r"<strong>Released:</strong>(.*?)</p>", page)[1]
    assert released.count("·") >= 2
    assert "contact" not in released
