"""What was erased is gone; what was signed and logged stays, still verifies, and says that something was erased."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from gateway.audit.models import AuditEntry
from gateway.audit.service import entry_bytes
from gateway.errors import InvalidInputError, UnknownError
from gateway.evidence.errors import ErasedError
from gateway.evidence.models import LogEntry
from gateway.exchange.errors import InFlightError
from gateway.exchange.models import Exchange
from gateway.worker import let_go
from ipx import evidence, jws, sdjwt
from ipx.answers import Released
from ipx.commitment import act_commitment, entry, receipt_commitment
from ipx.encoding import b64url_bytes
from ipx.merkle import leaf_hash, verify_inclusion
from ipx.note import open_checkpoint
from ipx.problems import AnswerGoneError
from tests.exchange.world import COURT, CUSTOMS, OFFICE

BASIS = "XA Data Protection Act, s. 17"
BY = {"legal_basis": BASIS, "actor": "operator:test"}


def fetch(gateway, exchange, client_id=CUSTOMS):
    return gateway.client(client_id).exchange(exchange)


def bundle(gateway, exchange):
    return evidence.verify(gateway.client().bundle(exchange), gateway.trust, now=gateway.services.clock())


def last_act(gateway):
    """The newest audit entry, and the leaf that commits to it."""
    with gateway.services.database.read() as session:
        logged = select(AuditEntry).where(AuditEntry.log_index.is_not(None))
        act = session.scalars(logged.order_by(AuditEntry.log_index.desc()).limit(1)).one()
        leaf = session.scalars(select(LogEntry.entry).where(LogEntry.idx == act.log_index)).one()
    return act, leaf


def require_logged(gateway, answer):
    """Signature, receipt, leaf and proof of an answer that somebody kept: all still hold, by what is public now."""
    trust, now = gateway.trust, gateway.services.clock()
    assert evidence.verify(answer.evidence.raw, trust, now=now).exchange == answer.evidence.exchange
    log = jws.parse_object(answer.evidence.raw)["log"]
    receipt = gateway.receipt(answer)
    committed = receipt_commitment(
        b64url_bytes(log["salt"]),
        b64url_bytes(receipt["req_hash"]),
        b64url_bytes(receipt["rec_hash"]),
        answer.evidence.receipt,
    )
    expected = entry(committed, receipt["outcome"], receipt["iat"])
    note = gateway.http.get("/log/checkpoint").text
    head = open_checkpoint(note, trust.log, now=now).checkpoint
    proof = gateway.services.published.proof(answer.evidence.log_index, head.size)
    verify_inclusion(answer.evidence.log_index, head.size, leaf_hash(expected), proof.hashes, head.root)


def disclosed(record, name):
    [disclosure] = [part for part in record.split("~")[1:-1] if f'"{name}"' in b64url_bytes(part).decode()]
    return disclosure


def test_an_erased_field_is_gone_from_answer_and_bundle_which_name_its_digest(gateway):
    answer = gateway.ask()
    exchange = answer.evidence.exchange
    lost = disclosed(answer.record, "owners")

    gateway.services.erasure.field(exchange, "owners", **BY)

    later = fetch(gateway, exchange, OFFICE)
    assert "owners" not in later.fields
    assert later.fields == {name: value for name, value in answer.fields.items() if name != "owners"}
    assert later.evidence.report.erased == 1
    assert jws.parse_object(later.evidence.raw)["erased"] == [sdjwt.digest(lost)]
    assert bundle(gateway, exchange).erased == 1
    require_logged(gateway, answer)
    with pytest.raises(UnknownError):
        gateway.services.erasure.field(exchange, "owners", **BY)


def test_two_fields_are_erased_one_after_the_other(gateway):
    exchange = gateway.ask().evidence.exchange

    for name in ("owners", "verbal_element"):
        gateway.services.erasure.field(exchange, name, **BY)

    assert bundle(gateway, exchange).erased == 2
    assert not {"owners", "verbal_element"} & fetch(gateway, exchange).fields.keys()


def test_an_erased_exchange_is_gone_for_both_parties_and_its_receipt_stays_readable(gateway):
    request = gateway.sign()
    answer = gateway.client().send(request)
    exchange = answer.evidence.exchange

    gateway.services.erasure.exchange(exchange, **BY)

    for look in (
        lambda: fetch(gateway, exchange),
        lambda: fetch(gateway, exchange, OFFICE),
        lambda: gateway.client().send(request),
        lambda: gateway.client().bundle(exchange),
    ):
        with pytest.raises(AnswerGoneError) as gone:
            look()
        assert gone.value.problem.slug == "answer-gone"
    [listed] = gateway.client().exchanges("requester")
    assert (listed.receipt, listed.answer, listed.place) == (answer.evidence.receipt, "erased", None)
    refused = gateway.post(request.encode())
    assert refused.status == 410
    assert refused.json()["receipt"] == answer.evidence.receipt
    require_logged(gateway, answer)
    gateway.services.log.audit()
    with pytest.raises(ErasedError):
        gateway.services.erasure.exchange(exchange, **BY)
    with pytest.raises(ErasedError):
        gateway.services.erasure.field(exchange, "owners", **BY)


def test_the_log_says_that_and_on_what_basis_and_the_trail_names_no_exchange(gateway):
    answer = gateway.ask()

    gateway.services.erasure.exchange(answer.evidence.exchange, **BY)

    act, leaf = last_act(gateway)
    assert leaf == entry(act_commitment(act.salt, entry_bytes(act)), "erased", int(act.at.timestamp()))
    assert (act.act, act.actor, act.subject) == ("exchange.erased", BY["actor"], f"leaf:{answer.evidence.log_index}")
    assert act.detail == {"index": answer.evidence.log_index, "legal_basis": BASIS}
    assert answer.evidence.exchange not in entry_bytes(act).decode()


def test_erasing_without_a_basis_or_without_a_log_erases_nothing(gateway, monkeypatch):
    exchange = gateway.ask().evidence.exchange

    with pytest.raises(InvalidInputError):
        gateway.services.erasure.exchange(exchange, legal_basis=" ", actor="operator:test")
    monkeypatch.setattr(gateway.services.audit._log, "append_within", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gateway.services.erasure.exchange(exchange, **BY)

    assert isinstance(fetch(gateway, exchange), Released)


def test_what_is_still_running_is_not_erased(gateway):
    exchange = gateway.ask().evidence.exchange
    with gateway.services.database.write() as session:
        session.execute(text("UPDATE exchange SET state = 'received'"))

    with pytest.raises(InFlightError):
        gateway.services.erasure.exchange(exchange, **BY)
    [kept] = gateway.services.erasure.classes()
    with pytest.raises(InFlightError):
        gateway.services.erasure.retention_class(kept.holder, kept.name, kept.month, **BY)


def test_a_class_is_erased_by_its_key_and_others_stay(gateway):
    mine, other = (
        gateway.ask(),
        gateway.ask(OFFICE, "customs-xa", "customs_recordal", "R2025-0031", purpose="examination"),
    )
    again = gateway.ask()
    erasure = gateway.services.erasure
    [kept] = [found for found in erasure.classes() if found.holder == "ipo-xa"]

    count = erasure.retention_class(kept.holder, kept.name, kept.month, **BY)

    assert (kept.name, kept.exchanges, count) == ("trademark", 2, 2)
    for answer in (mine, again):
        with pytest.raises(AnswerGoneError):
            fetch(gateway, answer.evidence.exchange)
        require_logged(gateway, answer)
    assert isinstance(fetch(gateway, other.evidence.exchange, OFFICE), Released)
    assert last_act(gateway)[0].detail["exchanges"] == 2
    assert [found.holder for found in erasure.classes()] == ["customs-xa"]
    with pytest.raises(UnknownError):
        erasure.retention_class(kept.holder, kept.name, kept.month, **BY)
    assert isinstance(fetch(gateway, gateway.ask().evidence.exchange), Released)


def test_after_some_days_the_fields_go_and_the_exchange_can_still_be_proved(gateway, monkeypatch):
    request = gateway.sign()
    answer = gateway.client().send(request)
    denied = gateway.ask(COURT, "customs-xa", "detention", "D2026-0007", purpose="court_proceeding")
    clock = gateway.services.clock
    monkeypatch.setattr(gateway.services.erasure, "_clock", lambda: clock() + timedelta(days=6))
    assert let_go(gateway.services) == (0, 0)
    monkeypatch.setattr(gateway.services.erasure, "_clock", lambda: clock() + timedelta(days=8))

    assert let_go(gateway.services) == (1, 0)

    exchange = answer.evidence.exchange
    with pytest.raises(AnswerGoneError):
        fetch(gateway, exchange)
    with pytest.raises(AnswerGoneError):
        gateway.client().send(request)
    report = bundle(gateway, exchange)
    assert (report.disclosed, report.erased) == (0, len(answer.fields))
    assert report.claims["sub"] == gateway.urn()
    assert gateway.client(COURT).exchange(denied.evidence.exchange).evidence.raw == denied.evidence.raw
    assert [line.answer for line in gateway.client().exchanges("requester")] == ["expired"]
    assert last_act(gateway)[0].act == "answers.expired"
    assert let_go(gateway.services) == (0, 0)
    with pytest.raises(ErasedError):
        gateway.services.erasure.field(exchange, "owners", **BY)


def test_classes_go_by_schedule_when_their_months_are_over(gateway, monkeypatch):
    answer = gateway.ask()
    erasure, clock = gateway.services.erasure, gateway.services.clock

    def months_later(count):
        now = clock().replace(day=1)
        year, month = divmod(now.year * 12 + now.month - 1 + count, 12)
        return lambda: now.replace(year=year, month=month + 1)

    monkeypatch.setattr(erasure, "_clock", months_later(3))
    assert erasure.expire_classes({"trademark": 3, "detention": 1}) == 0
    assert erasure.expire_classes({"detention": 1}) == 0
    monkeypatch.setattr(erasure, "_clock", months_later(4))
    assert erasure.expire_classes({"trademark": 3}) == 1

    with pytest.raises(AnswerGoneError):
        fetch(gateway, answer.evidence.exchange)
    assert last_act(gateway)[0].detail["legal_basis"] == "retention schedule"


def test_rows_of_before_keys_of_classes_open_and_can_be_erased(gateway):
    """As the first version stored them: key under the key-encryption key, the whole presentation in the answer."""
    answer, kept = gateway.ask(), gateway.ask()
    services = gateway.services
    for each in (answer, kept):
        exchange = each.evidence.exchange
        with services.database.write() as session:
            row = session.get_one(Exchange, exchange)
            class_key = services.journal._class_keys.get(row.class_key)
            key = class_key.wrap.unwrap(row.wrapped_key, f"payload-key:{exchange}")
            row.wrapped_key = services.journal._payloads._wrap.wrap(key, f"payload-key:{exchange}")
            row.class_key = None
            cipher = services.journal._payloads.of(exchange, row.wrapped_key, None)
            document = jws.parse_object(each.evidence.raw)
            old = {name: document[name] for name in ("sealed_by", "obligations", "withheld")}
            sealed = cipher.encrypt("answer", jws.dump_json({**old, "presentation": each.record}))
            session.execute(
                text("UPDATE exchange_payload SET ciphertext = :sealed WHERE exchange_id = :id AND name = 'answer'"),
                {"sealed": sealed, "id": exchange},
            )
            session.execute(
                text("DELETE FROM exchange_payload WHERE exchange_id = :id AND name = 'disclosures'"), {"id": exchange}
            )

    assert fetch(gateway, kept.evidence.exchange).evidence.raw == kept.evidence.raw
    services.erasure.field(answer.evidence.exchange, "owners", **BY)
    assert bundle(gateway, answer.evidence.exchange).erased == 1
    services.erasure._clock = lambda: services.clock() + timedelta(days=8)
    assert let_go(services)[0] == 2
    assert bundle(gateway, answer.evidence.exchange).disclosed == 0
    with pytest.raises(AnswerGoneError):
        fetch(gateway, kept.evidence.exchange)


def test_on_sqlite_neither_key_nor_ciphertext_is_left_in_the_files(demo, gateway):
    if not gateway.services.database.is_sqlite:
        pytest.skip("PostgreSQL frees deleted rows by VACUUM")
    exchange = gateway.ask().evidence.exchange
    with gateway.services.database.read_connection() as connection:
        [(key, salt)] = connection.execute(text("SELECT wrapped_key, salt FROM exchange")).all()
        ciphertexts = connection.execute(text("SELECT ciphertext FROM exchange_payload")).scalars().all()
    secrets = [bytes(key), bytes(salt), *(bytes(data)[:200] for data in ciphertexts)]
    files = [Path(f"{gateway.services.database.url.database}{suffix}") for suffix in ("", "-wal")]
    assert any(secrets[0] in file.read_bytes() for file in files)

    gateway.services.erasure.exchange(exchange, **BY)

    left = b"".join(file.read_bytes() for file in files if file.exists())
    assert [secret for secret in secrets if secret in left] == []
