"""A text difference loses nothing: the old and the new text can be read back from it."""

from hypothesis import given
from hypothesis import strategies as st

from policies.text_difference import text_difference

TEXTS = st.lists(st.sampled_from(["permit (", "  principal,", "  action in [release],", ");", "", "界 a b"])).map(
    "\n".join
)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_back(old, new):
    lines = text_difference(old, new)

    assert [line.text for line in lines if line.kind != "added"] == old.splitlines()
    assert [line.text for line in lines if line.kind != "removed"] == new.splitlines()
    assert [line.old_number for line in lines if line.old_number] == list(range(1, len(old.splitlines()) + 1))
    assert [line.new_number for line in lines if line.new_number] == list(range(1, len(new.splitlines()) + 1))


def test_a_changed_line_marks_the_words_that_changed():
    removed, added = text_difference('context.purpose == "a"', 'context.purpose == "b"')

    assert (removed.kind, [piece.text for piece in removed.pieces if piece.is_changed]) == ("removed", ["a"])
    assert (added.kind, [piece.text for piece in added.pieces if piece.is_changed]) == ("added", ["b"])


def test_a_line_without_counterpart_is_changed_as_a_whole():
    same, added = text_difference("one", "one\ntwo")

    assert same.kind == "same"
    assert (added.kind, added.pieces[0].is_changed) == ("added", True)
