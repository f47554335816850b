"""Stand-ins for the catalogue's functions, and ways to open a source that is closed again."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from itertools import count
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.deadline import Deadline
from connectors.formats.document import Limits
from connectors.mapping import RecordMapping
from connectors.mapping_packs import read_pack, shipped
from connectors.protocol import Found
from connectors.source_file import SourceFile, read_source
from connectors.sources import OpenSource, open_source
from connectors.tools import MappingTools
from gateway.records.codes import code as catalogue_code
from gateway.records.identifiers import canonical
from gateway.records.validation import validate
from tests.connectors import deliveries, detentions, rest_source
from tests.connectors.mariadb import mariadb_server
from tests.connectors.stub_server import serving

NUMBERS = {"EM.trademark": r"\d{9}", "US.mark_serial": r"\d{8}", "nice": r"0*([1-9]|[1-3]\d|4[0-5])", "checked": r"\d+"}
CODES = {"st3": {"EM": "EM", "US": "US", "NO": "NO"}, "state": {"Registered": "registered"}}


class StandInError(ValueError):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def number(kind: str, text: str) -> str:
    if not re.fullmatch(NUMBERS[kind], text):
        raise StandInError("bad_identifier")
    if kind == "checked" and int(text) % 11:
        raise StandInError("bad_check_digit")
    return text.lstrip("0") if kind == "nice" else text


def code(table: str, text: str) -> str:
    try:
        return CODES[table][text]
    except KeyError as error:
        if table not in CODES:
            raise
        raise ValueError("unknown") from error


@pytest.fixture
def tools() -> MappingTools:
    return MappingTools(number, code, lambda record_type, fields: [])


@pytest.fixture
def deadline() -> Deadline:
    return Deadline.within(30)


COUNTER = count()

HEAD = """\
source: {{name: test-source, holder: office-xa, record_type: {record_type}, schema_version: 1, kind: {kind}}}
licence: {{name: made up, onward: none}}
freshness: {{expect: P1D, stale: P2D}}
"""


def source_text(body: str, *, kind: str = "files", record_type: str = "trademark") -> str:
    return HEAD.format(kind=kind, record_type=record_type) + dedent(body)


@pytest.fixture
def write_source() -> Callable[..., str]:
    """Put the members that never matter in front of a source file's body."""
    return source_text


@pytest.fixture
def mapping_of(tools: MappingTools) -> Callable[..., RecordMapping]:
    """Compile a mapping: `read` and `map` as YAML, the key field `number` unless the map has its own."""

    def make(read: str, entries: str, *, rest: str = "", limits: Limits | None = None) -> RecordMapping:
        body = f"reach: {{location: /nowhere, match: '*'}}\nread: {read}\nkey: number\nmap:\n"
        body += indent(dedent(entries), "  ") + "\n" + dedent(rest)
        return RecordMapping(read_source(source_text(body)), tools, limits or Limits())

    return make


@pytest.fixture
def found() -> Callable[..., Found]:
    def make(raw: bytes | str, **more: Any) -> Found:
        encoded = raw.encode() if isinstance(raw, str) else raw
        stamp = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
        return Found(encoded, "application/octet-stream", "there", None, None, stamp, **more)

    return make


@pytest.fixture
def opened(tools: MappingTools, clock: Callable[[], datetime]) -> Iterator[Callable[..., OpenSource]]:
    """Open a source from its text; all of them are closed at the end."""
    sources: list[OpenSource] = []

    def make(text: str | SourceFile, *, state: Path | None = None, **values: str) -> OpenSource:
        file = read_source(text) if isinstance(text, str) else text
        source = open_source(file, secrets=values, variables=values, tools=tools, clock=clock, state=state)
        sources.append(source)
        return source

    yield make
    for source in sources:
        source.close()


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture
def api(server, opened, write_source):
    """Open the source over the server, with some of its text replaced; every record stands in `/cases/<no>`."""

    def make(*, text=rest_source.SOURCE, answer=None, read="fetch", base=None, secrets=(), **replaced):
        for old, new in replaced.pop("put", {}).items():
            assert old in text, old
            text = text.replace(old, new)
        if answer is not None:
            server.answer = answer
        body = write_source(text.replace("BASE", base or server.base), kind="rest", record_type="admin_case")
        return opened(body, **dict(secrets), **replaced)

    return make


@pytest.fixture
def drop(tmp_path, clock):
    (tmp_path / "in").mkdir()
    return deliveries.Drop(tmp_path / "in", clock)


@pytest.fixture
def xml(opened, drop, write_source):
    def make(reach="", **more):
        return opened(write_source(deliveries.XML % reach), HERE=str(drop.path), **more)

    return make


class Holder:
    """A holder's database: `run` writes to it as its owner, `reader` is the address of an account that only reads."""

    def __init__(self, owner_url: str, reader_url: str) -> None:
        self.engine = sa.create_engine(owner_url)
        self.reader = reader_url
        self.dialect = self.engine.dialect.name

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.connection.cursor().execute(statement)
        if self.dialect == "postgresql":
            with self.engine.begin() as connection:
                connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ipx_reader")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[sa.URL]:
    with mariadb_server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def holder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Holder]:
    """A fresh database of a holder, once on SQLite and once on PostgreSQL; MariaDB where a test asks for it."""
    if request.param == "mariadb":
        yield from _mariadb_holder(request.getfixturevalue("mariadb"))
        return
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'holder.db'}"
        made = Holder(url, url)
        yield made
        made.engine.dispose()
        return
    server = sa.make_url(request.getfixturevalue("postgres_server")).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"holder_{next(COUNTER)}"
    with admin.connect() as connection:
        if not connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = 'ipx_reader'").scalar():
            connection.exec_driver_sql("CREATE ROLE ipx_reader LOGIN PASSWORD 'r3ader'")
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    owner = server.set(database=name)
    reader = owner.set(username="ipx_reader", password="r3ader")
    made = Holder(owner.render_as_string(hide_password=False), reader.render_as_string(hide_password=False))
    with made.engine.begin() as connection:
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield made
    made.engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def _mariadb_holder(server: sa.URL) -> Iterator[Holder]:
    name = f"holder_{next(COUNTER)}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in (
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            "CREATE OR REPLACE USER ipx_reader@localhost IDENTIFIED BY 'r3ader'",
            f"GRANT SELECT ON {name}.* TO ipx_reader@localhost",
        ):
            connection.exec_driver_sql(statement)
    owner = server.set(database=name)
    reader = owner.set(username="ipx_reader", password="r3ader")
    made = Holder(owner.render_as_string(hide_password=False), reader.render_as_string(hide_password=False))
    yield made
    made.engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    admin.dispose()


@pytest.fixture
def customs(holder, opened, write_source):
    """Make the tables with these rows in them, and open the source with the account that reads."""

    def make(*statements, text=detentions.SOURCE, **replaced):
        holder.run(*detentions.TABLES, *statements)
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        return opened(write_source(text, kind="sql", record_type="detention"), DSN=holder.reader)

    return make


JUDGED_ON = date(2026, 11, 25)


@pytest.fixture(scope="session")
def catalogue_tools() -> MappingTools:
    """The functions of the real catalogue, as the gateway hands them in."""
    return MappingTools(
        canonical, catalogue_code, lambda record_type, fields: validate(record_type, fields, today=JUDGED_ON)
    )


@pytest.fixture(scope="session")
def pack(catalogue_tools: MappingTools) -> Callable[[str], RecordMapping]:
    """A mapping pack, compiled once for all tests."""

    @cache
    def make(name: str) -> RecordMapping:
        record_type = read_pack(name, shipped).record_type
        body = f"reach: {{location: /nowhere, match: '*'}}\npack: {name}\n"
        return RecordMapping(read_source(source_text(body, record_type=record_type)), catalogue_tools, Limits())

    return make
