"""Lists of values in statements: each length finds what an expanding parameter finds."""

import pytest
import sqlalchemy as sa

from connectors.kinds.sql_lists import FEW, one_of, shape_of, values_of

LETTERS = sa.table("letters", sa.column("letter", sa.String()))


@pytest.mark.parametrize("count", [1, 2, FEW, FEW + 1, 26])
def test_a_list_of_any_length_finds_its_own_values_and_no_others(count):
    wanted = [chr(ord("a") + number) for number in range(count)]
    query = sa.select(LETTERS).where(one_of(LETTERS.c.letter, count)).order_by(LETTERS.c.letter)
    with sa.create_engine("sqlite://").connect() as connection:
        connection.execute(sa.text("CREATE TABLE letters (letter TEXT)"))
        connection.execute(sa.insert(LETTERS), [{"letter": chr(ord("a") + number)} for number in range(40)])
        found = connection.scalars(query, values_of(wanted)).all()

    assert found == wanted


def test_one_statement_serves_all_long_lists_and_each_short_length_has_its_own():
    assert [shape_of(count) for count in (1, FEW, FEW + 1, 400)] == [1, FEW, shape_of(400), shape_of(400)]
    assert shape_of(400) > FEW
