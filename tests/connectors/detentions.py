"""Customs' tables of detentions in a holder's database, rows for them, and the source file that reads them."""

import pytest

from connectors.protocol import RecordKey

D1 = RecordKey("D-1")

TABLES = (
    "CREATE TABLE DETENTION (DET_NO CHAR(8), STAGE CHAR(2), SUSP_DT CHAR(10), PORT VARCHAR(40), UPD_TS TIMESTAMP)",
    "CREATE TABLE DETENTION_LINE (DET_NO VARCHAR(20), LINE_NO INTEGER, GDS_NM VARCHAR(80), QTY NUMERIC(12,3))",
    "CREATE TABLE DETENTION_DEL (DET_NO CHAR(8), DEL_TS TIMESTAMP)",
)

SOURCE = """
reach:
  url: "${secret:DSN}"
  table: DETENTION
  key: DET_NO
  children: {lines: {table: DETENTION_LINE, on: DET_NO, order: LINE_NO, max: 5}}
  watermark: {column: UPD_TS, zone: Asia/Shanghai, overlap: PT5M}
  deleted: {table: DETENTION_DEL, key: DET_NO, at: DEL_TS}
  pushdown: {stage: {column: STAGE, ops: [eq, ne, in]}}
  limits: {rows: 10, statement_seconds: 5}
key: detention_number
revised: {path: UPD_TS, use: [{datetime: Asia/Shanghai}]}
map:
  detention_number: {path: DET_NO, use: [trim], required: true}
  stage: {path: STAGE, use: [trim, {code: {"1": suspended, "3": seized}}], raw: true, required: true}
  suspended_on: {path: SUSP_DT, use: [{date: ["%Y%m%d"]}], required: true}
  port_of_entry: {path: PORT, use: [trim]}
  goods:
    each: lines
    map:
      line: {path: LINE_NO, use: [int]}
      description: {path: GDS_NM, use: [trim]}
      quantity: {path: QTY, use: [decimal]}
"""

on_a_server = pytest.mark.parametrize("holder", ["postgresql"], indirect=True)
"""For what only a server has: accounts, sessions that can be killed."""


def detention(number, *, stage="1", day="20260110", port="Port A", at="2026-01-10 08:00:00"):
    port = "NULL" if port is None else f"'{port}'"
    return f"INSERT INTO DETENTION VALUES ('{number:<8}', '{stage:<2}', '{day:<10}', {port}, '{at}')"


def line(number, no, goods="shoes", quantity="12.500"):
    return f"INSERT INTO DETENTION_LINE VALUES ('{number}', {no}, '{goods}', {quantity})"
