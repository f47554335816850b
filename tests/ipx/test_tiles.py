"""Tiles (C2SP tlog-tiles): their paths, their bytes, and the tree read back from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import merkle, tiles
from ipx.errors import ProofError


def published(size, *, keep=range(1, 257)):
    """All tiles of a tree of `size` entries by path; partial ones only of the widths in `keep`."""
    row = [merkle.leaf_hash(b"%d" % number) for number in range(size)]
    files, level = {}, 0
    while row:
        for index in range((len(row) + 255) // 256):
            part = row[index * 256 : (index + 1) * 256]
            for width in {len(part), *(width for width in keep if width <= len(part))}:
                files[tiles.tile_path(level, index, width)] = b"".join(part[:width])
        row = [subtree_root(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1
    return files


def subtree_root(row):
    while len(row) > 1:
        row = [merkle.node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def reference_root(size):
    tree = [merkle.leaf_hash(b"%d" % number) for number in range(size)]
    return merkle.root(lambda level, index: subtree_root(tree[index << level : (index + 1) << level]), size)


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (tiles.tile_path(0, 0), "tile/0/000"),
        (tiles.tile_path(0, 1234067), "tile/0/x001/x234/067"),
        (tiles.tile_path(3, 999), "tile/3/999"),
        (tiles.tile_path(7, 0), "tile/7/000"),
        (tiles.tile_path(1, 1000, 7), "tile/1/x001/000.p/7"),
        (tiles.entries_path(0, 1), "tile/entries/000.p/1"),
        (tiles.entries_path(70_000), "tile/entries/x070/000"),
    ],
)
def test_a_path_is_spelt_as_c2sp_says(path, written):
    assert path == written


@given(
    st.builds(
        tiles.Tile,
        st.none() | st.integers(0, 7),
        st.integers(0, 10**18),
        st.integers(1, 256),
    )
)
def test_a_path_reads_back_as_the_tile_it_names(tile):
    assert tiles.parse_path(tile.path().removeprefix("tile/")) == tile


@pytest.mark.parametrize(
    "path",
    ["0/0", "0/x000/001", "0/001.p/256", "0/001.p/0", "0/001.p/01", "0/001.p/", "8/000", "-1/000", "00/000",
     "0/x01/000",
     "0/x001", "entries", "entries/000/", "0/000\n", "0/\u0660\u0660\u0660", "0/../000", "0/000.p/1000", ""],
)  # fmt: skip
def test_another_spelling_is_no_path(path):
    with pytest.raises(ProofError):
        tiles.parse_path(path)


@pytest.mark.parametrize("place", [(8, 0, 256), (-1, 0, 256), (0, -1, 256), (0, 0, 0), (0, 0, 257)])
def test_a_tile_outside_the_tree_has_no_path(place):
    with pytest.raises(ProofError):
        tiles.tile_path(*place)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_entries_read_back_as_written(entries):
    assert tiles.decode_entries(tiles.encode_entries(entries), len(entries)) == entries


def test_the_largest_entry_fits_and_a_larger_one_does_not():
    assert tiles.decode_entries(tiles.encode_entries([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(ProofError):
        tiles.encode_entries([b"x" * 65_536])


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=5), st.integers(1, 5))
def test_a_torn_or_miscounted_tile_of_entries_is_refused(entries, cut):
    data = tiles.encode_entries(entries)

    with pytest.raises(ProofError):
        tiles.decode_entries(data[: max(len(data) - cut, 1)], len(entries))
    with pytest.raises(ProofError):
        tiles.decode_entries(data, len(entries) + 1)
    with pytest.raises(ProofError):
        tiles.decode_entries(data, len(entries) - 1)


@given(st.binary(max_size=40), st.integers(0, 5))
def test_garbage_raises_a_proof_error_or_nothing(data, width):
    try:
        tiles.decode_entries(data, width)
    except ProofError:
        return


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 66_000])
def test_the_tree_read_from_tiles_is_the_tree(size):
    files = published(size, keep=())
    node = tiles.TileReader(files.__getitem__, size)

    root = merkle.root(node, size)

    assert root == reference_root(size)
    for index in {0, size // 2, size - 1}:
        leaf = merkle.leaf_hash(b"%d" % index)
        merkle.verify_inclusion(index, size, leaf, merkle.inclusion_proof(node, index, size), root)


def test_a_partial_tile_that_is_gone_is_read_from_the_full_one():
    files = published(300, keep=())

    node = tiles.TileReader(files.__getitem__, 200)

    assert merkle.root(node, 200) == reference_root(200)


def test_a_missing_or_misshapen_tile_is_a_proof_error():
    files = published(200, keep=())
    path = tiles.tile_path(0, 0, 200)

    for damaged in ({}, {path: files[path][:-1]}, {path: files[path] + b"x"}, {path: b""}):
        with pytest.raises(ProofError):
            merkle.root(tiles.TileReader(damaged.__getitem__, 200), 200)


@pytest.mark.parametrize(("level", "index"), [(0, 5), (0, -1), (-1, 0), (3, 0), (2, 1)])
def test_a_subtree_beyond_the_edge_is_a_proof_error(level, index):
    node = tiles.TileReader(published(5).__getitem__, 5)

    with pytest.raises(ProofError):
        node(level, index)


def test_each_tile_is_fetched_once():
    fetched = []
    files = published(300, keep=())
    node = tiles.TileReader(lambda path: fetched.append(path) or files[path], 300)

    merkle.root(node, 300)
    merkle.inclusion_proof(node, 0, 300)

    assert len(fetched) == len(set(fetched))


def test_there_are_eight_levels_of_tiles():
    assert tiles.tile_path(7, 0, 1) == "tile/7/000.p/1"
    with pytest.raises(ProofError):
        tiles.tile_path(8, 0, 1)
