"""The tree of RFC 9162: published cases, the RFC's own worked example, and what a proof must never do."""

import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import merkle
from ipx.errors import ProofError


class Tree:
    """A tree over entries in memory, as a `merkle.Node`."""

    def __init__(self, entries):
        self.levels = [[merkle.leaf_hash(entry) for entry in entries]]
        while len(self.levels[-1]) > 1:
            row = self.levels[-1]
            self.levels.append([merkle.node_hash(a, b) for a, b in zip(row[::2], row[1::2], strict=False)])

    def __call__(self, level, index):
        return self.levels[level][index]


def entries(count):
    return [f"entry {number}".encode() for number in range(count)]


def definition_of_root(hashes):
    """RFC 9162, section 2.1.1, word by word."""
    if not hashes:
        return merkle.EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = max(2**power for power in range(20) if 2**power < len(hashes))
    return merkle.node_hash(definition_of_root(hashes[:split]), definition_of_root(hashes[split:]))


def decoded(texts):
    return [base64.b64decode(text) for text in texts or []]


def holds(verify, *arguments):
    try:
        verify(*arguments)
    except ProofError:
        return False
    return True


def test_published_inclusion_cases_are_judged_as_published(vectors):
    """transparency-dev/merkle, testdata/inclusion, commit 417fb0c3."""
    cases = json.loads((vectors / "merkle" / "inclusion.json").read_text())

    judged = [
        holds(
            merkle.verify_inclusion, case["leafIdx"], case["treeSize"], *decoded([case["leafHash"]]),
            decoded(case["proof"]), *decoded([case["root"]]),
        )
        for case in cases
    ]  # fmt: skip

    assert judged == [not case["wantErr"] for case in cases]
    assert len(cases) == 98


def test_published_consistency_cases_are_judged_as_published(vectors):
    """transparency-dev/merkle, testdata/consistency, commit 417fb0c3."""
    cases = json.loads((vectors / "merkle" / "consistency.json").read_text())

    judged = [
        holds(
            merkle.verify_consistency, case["size1"], case["size2"], decoded(case["proof"]),
            *decoded([case["root1"]]), *decoded([case["root2"]]),
        )
        for case in cases
    ]  # fmt: skip

    assert judged == [not case["wantErr"] for case in cases]
    assert len(cases) == 98


def test_the_example_of_rfc_9162_gives_its_paths():
    """RFC 9162, section 2.1.5: seven leaves d0 to d6, nodes a to l."""
    tree = Tree(entries(7))
    b, c, d, j = (tree(0, index) for index in (1, 2, 3, 6))
    a = tree(0, 0)
    f, g, h = tree(0, 4), tree(0, 5), tree(1, 1)
    i, k, l = tree(1, 2), tree(2, 0), merkle.node_hash(tree(1, 2), j)  # noqa: E741 - the RFC's letter

    assert merkle.inclusion_proof(tree, 0, 7) == [b, h, l]
    assert merkle.inclusion_proof(tree, 3, 7) == [c, tree(1, 0), l]
    assert merkle.inclusion_proof(tree, 4, 7) == [g, j, k]
    assert merkle.inclusion_proof(tree, 6, 7) == [i, k]
    assert merkle.consistency_proof(tree, 3, 7) == [c, d, tree(1, 0), l]
    assert merkle.consistency_proof(tree, 4, 7) == [l]
    assert merkle.consistency_proof(tree, 6, 7) == [i, j, k]
    assert a != f


def test_every_proof_of_every_small_tree_holds_and_every_root_is_the_definition():
    tree = Tree(entries(33))

    for size in range(1, 34):
        root = merkle.root(tree, size)
        assert root == definition_of_root(tree.levels[0][:size])
        for index in range(size):
            merkle.verify_inclusion(index, size, tree(0, index), merkle.inclusion_proof(tree, index, size), root)
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(tree, old, size)
            merkle.verify_consistency(old, size, proof, merkle.root(tree, old), root)


def test_the_empty_tree_has_the_root_of_nothing():
    assert merkle.root(Tree([]), 0) == merkle.EMPTY_ROOT
    with pytest.raises(ProofError):
        merkle.root(Tree([]), -1)


@given(size=st.integers(1, 70), data=st.data())
def test_an_inclusion_proof_holds_for_its_own_place_and_no_other(size, data):
    tree = Tree(entries(70))
    index = data.draw(st.integers(0, size - 1))
    proof, root = merkle.inclusion_proof(tree, index, size), merkle.root(tree, size)
    other = data.draw(st.integers(-1, size + 300).filter(lambda place: place != index))

    with pytest.raises(ProofError):
        merkle.verify_inclusion(other, size, tree(0, index), proof, root)


@given(size=st.integers(2, 70), data=st.data())
def test_a_proof_with_any_hash_changed_dropped_added_or_swapped_fails(size, data):
    tree = Tree(entries(70))
    index = data.draw(st.integers(0, size - 1))
    leaf, proof, root = tree(0, index), merkle.inclusion_proof(tree, index, size), merkle.root(tree, size)
    at = data.draw(st.integers(0, len(proof) - 1))
    changed = [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
    damaged = [changed, proof[:-1], [*proof, proof[0]], [proof[0], *proof]]
    damaged += [[*proof[:at], b, a, *proof[at + 2 :]] for a, b in list(pairwise(proof))[at : at + 1]]

    for wrong in damaged:
        with pytest.raises(ProofError):
            merkle.verify_inclusion(index, size, leaf, wrong, root)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(index, size, merkle.leaf_hash(b"another"), proof, root)


def test_entry_256_of_256_does_not_pass_with_the_proof_of_entry_0():
    tree = Tree(entries(256))
    proof, root = merkle.inclusion_proof(tree, 0, 256), merkle.root(tree, 256)

    with pytest.raises(ProofError, match="no entry 256"):
        merkle.verify_inclusion(256, 256, tree(0, 0), proof, root)


def test_entry_minus_1_does_not_pass_with_the_proof_of_the_last_entry():
    tree = Tree(entries(256))
    proof, root = merkle.inclusion_proof(tree, 255, 256), merkle.root(tree, 256)

    with pytest.raises(ProofError, match="no entry -1"):
        merkle.verify_inclusion(-1, 256, tree(0, 255), proof, root)


def test_a_proof_that_goes_on_beyond_the_root_is_refused_even_where_it_leads_to_the_root_given():
    leaf, more = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")

    with pytest.raises(ProofError, match="longer"):
        merkle.verify_inclusion(0, 1, leaf, [more], merkle.node_hash(more, leaf))
    beyond = merkle.node_hash(more, merkle.node_hash(leaf, leaf))
    with pytest.raises(ProofError, match="longer"):
        merkle.verify_consistency(1, 2, [leaf, more], leaf, beyond)


def test_a_shrunken_log_is_not_consistent_with_itself():
    root = merkle.leaf_hash(b"x")

    with pytest.raises(ProofError, match="from 2 to 1"):
        merkle.verify_consistency(2, 1, [], root, root)


def test_hashes_of_33_and_31_bytes_that_join_to_the_same_node_are_refused():
    leaf, sibling = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    root = merkle.node_hash(leaf, sibling)

    with pytest.raises(ProofError, match="32 bytes"):
        merkle.verify_inclusion(0, 2, leaf + sibling[:1], [sibling[1:]], root)
    with pytest.raises(ProofError, match="32 bytes"):
        merkle.verify_inclusion(0, 2, leaf, [sibling], root + b"\0")


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (-1, 5), (6, 5)])
def test_a_consistency_proof_from_nothing_or_backwards_does_not_exist(old, new):
    tree = Tree(entries(8))

    with pytest.raises(ProofError):
        merkle.consistency_proof(tree, old, new)
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, new, [], merkle.EMPTY_ROOT, merkle.root(tree, 5))


def test_trees_of_one_size_need_one_root_and_no_proof():
    tree, root = Tree(entries(5)), merkle.root(Tree(entries(5)), 5)

    assert merkle.consistency_proof(tree, 5, 5) == []
    merkle.verify_consistency(5, 5, [], root, root)
    with pytest.raises(ProofError):
        merkle.verify_consistency(5, 5, [root], root, root)
    with pytest.raises(ProofError):
        merkle.verify_consistency(5, 5, [], root, merkle.leaf_hash(b"x"))


@given(new=st.integers(2, 70), data=st.data())
def test_a_rewritten_log_has_no_consistency_proof(new, data):
    old = data.draw(st.integers(1, new - 1))
    place = data.draw(st.integers(0, old - 1))
    honest = entries(new)
    rewritten = [*honest[:place], b"rewritten", *honest[place + 1 :]]
    before, after = Tree(honest), Tree(rewritten)
    proofs = [merkle.consistency_proof(tree, old, new) for tree in (before, after)]

    for proof in [*proofs, proofs[0][:-1], [*proofs[0], before(0, 0)], []]:
        with pytest.raises(ProofError):
            merkle.verify_consistency(old, new, proof, merkle.root(before, old), merkle.root(after, new))


def test_a_missing_entry_has_no_proof():
    tree = Tree(entries(5))

    for index in (-1, 5):
        with pytest.raises(ProofError):
            merkle.inclusion_proof(tree, index, 5)
