"""Exchanges of the first version are found by their place in the log after the upgrade, and survive the way back."""

from sqlalchemy import text

from gateway.db import migrate
from gateway.db.engine import Database

EXCHANGE = "019ab2c0-0000-7000-8000-000000000001"
OPEN = "019ab2c0-0000-7000-8000-000000000002"
ROW = (
    "INSERT INTO exchange (id, client_id, requester, holder, jti, request_sha256, record_type, record_sha256, purpose, "
    "received_at, deadline_at, node, state) "
    "VALUES (:id, 'c', 'a', 'b', :id, :sha, 't', :sha, 'p', :at, :at, 'n', :state)"
)


def test_the_upgrade_gives_finished_exchanges_their_place_in_the_log_and_can_be_taken_back(empty_database_url, clock):
    database = Database(empty_database_url)
    migrate.upgrade(database, "0001")
    shared = {"sha": bytes(32), "at": clock().replace(tzinfo=None)}
    with database.write() as session:
        session.execute(text(ROW), {"id": EXCHANGE, "state": "released", **shared})
        session.execute(text(ROW), {"id": OPEN, "state": "received", **shared})
        session.execute(
            text("INSERT INTO exchange_payload (exchange_id, name, ciphertext) VALUES (:id, 'answer', :sha)"),
            {"id": EXCHANGE, "sha": bytes(32)},
        )
        session.execute(
            text("INSERT INTO log_entry (idx, step_id, leaf_hash, entry) VALUES (7, :step, :sha, :sha)"),
            {"step": f"exchange:{EXCHANGE}:final", "sha": bytes(32)},
        )

    migrate.upgrade(database, "0002")
    with database.read() as session:
        places = dict(session.execute(text("SELECT id, log_index FROM exchange")).all())
    migrate.downgrade(database, "0001")
    with database.read() as session:
        kept = session.scalar(text("SELECT count(*) FROM exchange JOIN exchange_payload ON exchange_id = id"))
    database.dispose()

    assert places == {EXCHANGE: 7, OPEN: None}
    assert kept == 1
