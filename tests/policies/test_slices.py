"""What of a book is in memory: nothing is read before somebody asks, and slices nobody asks for are let go."""

import threading

import pytest

from policies import bundle_files
from policies.engine import BookError, Denial, PolicyRef, PolicyText, Release, compile_book, decide, revision_of
from policies.slices import Keeper, Slices

BASIS = '@legal_basis("a law")'


def lazily(world, *extra, previous=None):
    """Make a book whose texts were all found valid before."""
    texts = [
        *bundle_files.load(),
        *(bundle_files.default_egress(code, world.purposes) for code in world.agencies),
        *extra,
    ]
    return compile_book(world.catalogue, texts, (), previous, validated=frozenset(texts))


def border(world):
    return world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")


def test_texts_that_were_found_valid_are_read_when_somebody_asks(world):
    book = lazily(world)

    assert {place for place, one in book.sets.items() if one.known} == {("guardrail", "gateway")}
    assert book.digest == world.shipped.digest
    assert decide(book, border(world)) == decide(world.shipped, border(world))
    assert {place for place, one in book.sets.items() if one.known} == {
        ("guardrail", "gateway"),
        ("holder", "ipo-xa"),
        ("egress", "customs-xa"),
    }
    assert list(book.texts) == list(world.shipped.texts)


def test_a_text_that_cannot_be_read_after_all_denies_what_it_bears_on_and_nothing_else(world):
    cedar = '@id("broken") permit (principal, action'
    broken = PolicyText(PolicyRef("holder", "ipo-xa", "broken", revision_of(cedar)), cedar)
    book = lazily(world, broken)

    decision = decide(book, border(world))
    elsewhere = world.question("ipo-xb", "customs-xa", "customs_recordal", "examination")

    assert isinstance(decision, Denial)
    assert (decision.refused_by, decision.basis.by) == ("error", (broken.ref,))
    assert decide(book, elsewhere).withheld == decide(world.shipped, elsewhere).withheld


@pytest.mark.parametrize("revision", ["00000000", "zz"])
def test_a_text_under_a_wrong_hash_makes_no_book_though_it_was_valid(world, revision):
    good = world.policy("holder", "ipo-xb", "goods", world.permit(["trademark.goods"], "Trademark"), BASIS)

    with pytest.raises(BookError):
        lazily(world, PolicyText(PolicyRef("holder", "ipo-xb", "goods", revision), good.cedar))


def test_a_set_in_use_is_read_before_its_new_book_is_in_force(world):
    goods = world.policy("holder", "ipo-xa", "goods", world.permit(["trademark.examination"], "Trademark"), BASIS)
    first = lazily(world)
    decide(first, border(world))

    second = lazily(world, goods, previous=first)

    assert second.sets["holder", "ipo-xa"].known
    assert [one.record_type for one in second.holders["ipo-xa"].kept()] == ["trademark"]
    assert not second.sets["holder", "customs-xa"].known


def test_slices_that_nobody_asked_for_longest_are_let_go_and_made_again(world):
    keeper = Keeper(limit=40)
    book = world.shipped
    owners = [Slices("holder", {}, book.sets["holder", code], keeper) for code in ("ipo-xa", "customs-xa", "court-xa")]
    kept = []
    for known in book.catalogue.record_types:
        for slices in owners:
            slices.of(known)
            kept.append(sum(one.size for each in owners for one in each.kept()))

    first = owners[0].of(book.catalogue.record_types[0])

    assert max(kept) <= 40
    assert first.policies == {
        str(ref): one
        for ref, one in book.texts.of("holder", "ipo-xa").items()
        if one.is_about(book.catalogue.record_types[0].name)
    }


def test_many_threads_may_ask_a_new_book_at_once(world):
    book = lazily(world)
    expected = decide(world.shipped, border(world))
    found = []
    threads = [threading.Thread(target=lambda: found.append(decide(book, border(world)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert isinstance(expected, Release)
    assert found == [expected] * 8
