"""A small made-up world: six agencies of two jurisdictions that do not exist, their systems, keys and thirty records.

Nothing in it is real: no person, no firm, no mark, no case. `XA` and `XB` are codes that WIPO ST.3 and ISO 3166 leave
to individual use.
"""

import csv
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from ipx import keyfile
from ipx.keys import Algorithm

SCOPE = "exchange:request"
CUSTOMS_TABLES = ("RECORDAL", "RECORDAL_GOODS", "RECORDAL_LICENSEE", "DETENTION", "DETENTION_LINE")
NOBODY_LISTENS = "postgresql+psycopg://reader:unused@127.0.0.1:1/register?connect_timeout=2"
"""The foreign office's database: port 1 of this machine, which is refused at once."""

State = Literal["active", "suspended", "key_expired", "key_revoked"]


@dataclass(frozen=True, slots=True)
class DemoAgency:
    code: str
    kind: str
    name: str
    jurisdictions: tuple[str, ...]
    purposes: tuple[str, ...]
    scopes: tuple[str, ...] = (SCOPE,)


@dataclass(frozen=True, slots=True)
class DemoClient:
    id: str
    name: str
    alg: Algorithm
    state: State = "active"
    """What the operator has to do with it after registration, so that its refusal can be seen."""
    scopes: tuple[str, ...] = (SCOPE,)

    @property
    def agency(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class World:
    """The world as built in a directory, ready to be registered with a gateway."""

    agencies: tuple[DemoAgency, ...]
    clients: tuple[DemoClient, ...]
    """Active ones first, in the order in which a demo file lists them."""
    keys: Mapping[str, Path]
    """Client id → its private key file."""
    sources: tuple[Path, ...]
    """Source files, in the order of their names."""
    sources_root: Path
    """What `${IPX_SOURCES}` means in them."""
    secrets: Mapping[str, str]
    """What `${secret:NAME}` means in them."""

    def agency(self, code: str) -> DemoAgency:
        return next(agency for agency in self.agencies if agency.code == code)

    def client(self, client_id: str) -> DemoClient:
        return next(client for client in self.clients if client.id == client_id)


EXAMINER = "regulator-xa.cases"
"""The client that may also introspect any token, and look after its own keys."""

AGENCIES = (
    DemoAgency(
        "customs-xa", "customs", "Customs Administration of XA", ("XA",), ("border_enforcement", "notify_owner")
    ),
    DemoAgency(
        "court-xa", "court", "Intellectual Property Court of XA", ("XA",), ("court_proceeding", "punitive_damages")
    ),
    DemoAgency("ipo-xa", "ip_office", "Intellectual Property Office of XA", ("XA",), ("examination", "notify_owner")),
    DemoAgency(
        "regulator-xa",
        "regulator",
        "Market Regulation Authority of XA",
        ("XA",),
        ("market_surveillance",),
        scopes=(SCOPE, "client.keys", "introspect"),
    ),
    DemoAgency("arbitration-xa", "arbitration", "Arbitration Commission of XA", ("XA",), ("arbitration",)),
    DemoAgency("ipo-xb", "foreign_office", "Patent and Trademark Office of XB", ("XB",), ("examination",)),
)

CLIENTS = (
    DemoClient("customs-xa.intake", "Intake desk", "ES256"),
    DemoClient("court-xa.registry", "Registry", "Ed25519"),
    DemoClient("ipo-xb.batch", "Batch system; its RSA key signs in, requests need another", "PS256"),
    DemoClient(EXAMINER, "Case system", "ES256", scopes=(SCOPE, "client.keys", "introspect")),
    DemoClient("arbitration-xa.office", "Case office", "Ed25519"),
    DemoClient("ipo-xa.exchange", "Exchange desk", "ES256"),
    DemoClient("ipo-xb.exchange", "Exchange desk", "Ed25519"),
    DemoClient("regulator-xa.archive", "Archive, switched off for now", "ES256", state="suspended"),
    DemoClient("arbitration-xa.portal", "Portal whose key ran out", "Ed25519", state="key_expired"),
    DemoClient("ipo-xa.kiosk", "Kiosk whose key was lost", "ES256", state="key_revoked"),
)


def build(directory: Path) -> World:
    """Write the world's files: registers, the customs database, source files, client keys.

    Keys that are there already are kept, so that a gateway which registered them goes on knowing them; everything else
    is written anew.
    """
    root = directory / "sources"
    with as_file(files("gateway.demo") / "data") as data:
        shutil.copytree(data / "trademarks", root / "ipo-xa" / "trademarks", dirs_exist_ok=True)
        shutil.copytree(data / "cases", root / "court-xa" / "cases", dirs_exist_ok=True)
        shutil.copytree(data / "sources", directory / "source-files", dirs_exist_ok=True)
        database = _build_customs(data / "customs", root / "customs-xa")
    return World(
        agencies=AGENCIES,
        clients=CLIENTS,
        keys={client.id: _key(directory / "keys", client) for client in CLIENTS},
        sources=tuple(sorted((directory / "source-files").glob("*.yaml"))),
        sources_root=root,
        secrets={"CUSTOMS_XA_DSN": f"sqlite:///{database.resolve()}", "IPO_XB_DSN": NOBODY_LISTENS},
    )


def _build_customs(rows: Path, directory: Path) -> Path:
    """Make the customs database from its table definitions and rows; an empty cell is NULL."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "customs.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        with connection:
            connection.executescript((rows / "tables.sql").read_text(encoding="utf-8"))
            for table in CUSTOMS_TABLES:
                _fill(connection, table, rows / f"{table}.csv")
    finally:
        connection.close()
    return path


def _fill(connection: sqlite3.Connection, table: str, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    marks = ", ".join("?" for _ in header)
    statement = f"INSERT INTO {table} ({', '.join(header)}) VALUES ({marks})"  # noqa: S608  (names from our own files)
    connection.executemany(statement, [[cell or None for cell in row] for row in rows])


def _key(directory: Path, client: DemoClient) -> Path:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{client.id}.jwk"
    if not path.exists():
        keyfile.write_key(path, keyfile.generate(client.alg))
    return path
