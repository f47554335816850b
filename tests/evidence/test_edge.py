"""The growing edge gives the same tree as hashing everything at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.edge import Edge, GrowingTile, places_at_edge
from ipx.merkle import EMPTY_ROOT, inclusion_proof, leaf_hash, node_hash, root, verify_inclusion


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


LEAVES = [leaf_hash(b"%d" % number) for number in range(70_000)]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537])
def test_the_edge_derives_the_root_of_rfc_9162(size):
    edge = Edge(0, {})
    for leaf in LEAVES[:size]:
        edge.append(leaf)
        edge = edge.trimmed() if edge.size % 1000 == 0 else edge

    assert edge.root() == naive_root(LEAVES[:size])


@given(st.integers(0, 700), st.integers(1, 300))
def test_fresh_leaves_are_proved_from_the_edge_alone(size, fresh):
    edge = Edge(0, {})
    for leaf in LEAVES[:size]:
        edge.append(leaf)
    edge = edge.trimmed()
    for leaf in LEAVES[size : size + fresh]:
        edge.append(leaf)

    for index in {size, size + fresh // 2, size + fresh - 1}:
        proof = inclusion_proof(edge.node, index, edge.size)
        verify_inclusion(index, edge.size, LEAVES[index], proof, edge.root())


@given(st.integers(0, 1 << 40))
def test_partial_tiles_of_a_size_hold_exactly_its_ragged_edge(size):
    places = places_at_edge(size)

    for (level, number), width in places.items():
        assert (number << 8) + width == size >> 8 * level
    assert {level for level, _ in places} == {level for level in range(6) if (size >> 8 * level) % 256}
    assert all(0 < width < 256 for width in places.values())


def test_a_tile_rebuilt_from_its_bytes_has_the_same_nodes():
    tile = GrowingTile()
    for leaf in LEAVES[:201]:
        tile.add(leaf)

    again = GrowingTile(tile.data)

    assert again.rows == tile.rows
    assert root(lambda level, index: again.rows[level][index], 201) == naive_root(LEAVES[:201])
