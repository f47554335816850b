"""Merkle trees of RFC 9162, section 2.1: roots, inclusion proofs, consistency proofs, and checking them.

A tree is whatever gives the hash of a *complete* subtree: `Node(level, index)` is the root over the entries
`index << level` up to, not including, `(index + 1) << level`. Whether those come from a list, tiles or a database is
the caller's affair; subtrees at the ragged right edge are computed here.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ipx.errors import ProofError

Node = Callable[[int, int], bytes]

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry (RFC 9162, section 2.1.1).

    Returns:
        32 bytes. The 0x00 prefix keeps a leaf from ever passing for an inner node.
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(node: Node, size: int) -> bytes:
    """Compute the root over the first `size` entries.

    Raises:
        ProofError: a negative size, or whatever `node` raises of this kind.
    """
    if size < 0:
        raise ProofError("A tree cannot have fewer than no entries.")
    return _range_root(node, 0, size) if size else EMPTY_ROOT


def inclusion_proof(node: Node, index: int, size: int) -> list[bytes]:
    """Prove that entry `index` is in the tree of `size` entries (RFC 9162, section 2.1.3.1).

    Returns:
        the hashes from the leaf's sibling up to the root's child.

    Raises:
        ProofError: the tree has no such entry.
    """
    if not 0 <= index < size:
        raise ProofError(f"A tree of {size} entries has no entry {index}.")
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_range_root(node, middle, end))
            end = middle
        else:
            proof.append(_range_root(node, begin, middle))
            begin = middle
    proof.reverse()
    return proof


def consistency_proof(node: Node, old: int, new: int) -> list[bytes]:
    """Prove that the tree of `new` entries begins with the tree of `old` entries (RFC 9162, section 2.1.4.1).

    Raises:
        ProofError: not 0 < old ≤ new. There is no proof from the empty tree: it proves nothing.
    """
    if not 0 < old <= new:
        raise ProofError(f"There is no consistency proof from {old} to {new} entries.")
    proof: list[bytes] = []
    begin, end = 0, new
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(_range_root(node, middle, end))
            end = middle
        else:
            proof.append(_range_root(node, begin, middle))
            begin = middle
    if begin:  # else the old root is itself the starting point, and its holder knows it
        proof.append(_range_root(node, begin, end))
    proof.reverse()
    return proof


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (RFC 9162, section 2.1.3.2).

    Args:
        index: of the entry, counted from 0.
        size: of the tree.
        leaf: hash of the entry, as `leaf_hash` gives it.
        proof: hashes from the leaf's sibling upwards.
        root: of the tree.

    Raises:
        ProofError: the proof does not lead from this leaf at this place to this root.
    """
    # Without the upper bound, entry 256 of a tree of 256 verifies with the proof of entry 0.
    if not 0 <= index < size:
        raise ProofError(f"The log has {size} entries; there is no entry {index} in it.")
    # Hashes of 33 and 31 bytes would join to the same node.
    _require_hashes(leaf, root, *proof)
    computed = leaf
    for is_left, sibling in zip(_sides(index, size - 1, len(proof)), proof, strict=True):
        computed = node_hash(sibling, computed) if is_left else node_hash(computed, sibling)
    if not hmac.compare_digest(computed, root):
        raise ProofError("The inclusion proof does not lead to the root: this entry is not in the log at this place.")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that one tree is the beginning of another (RFC 9162, section 2.1.4.2).

    Raises:
        ProofError: it is not, or not 0 < old ≤ new.
    """
    if not 0 < old <= new:
        raise ProofError(f"There is no consistency proof from {old} to {new} entries.")
    if old == new:
        if proof or not hmac.compare_digest(old_root, new_root):
            raise ProofError("Two trees of one size have different roots, or a proof where none belongs.")
        return
    _require_hashes(old_root, new_root, *proof)
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)  # a power of two is one subtree, and the prover leaves its root out
    if not hashes:
        raise ProofError("The consistency proof is empty.")
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    from_old = from_new = hashes[0]
    for is_left, sibling in zip(_sides(position, last, len(hashes) - 1), hashes[1:], strict=True):
        if is_left:
            from_old = node_hash(sibling, from_old)
            from_new = node_hash(sibling, from_new)
        else:
            from_new = node_hash(from_new, sibling)
    if not hmac.compare_digest(from_old, old_root) or not hmac.compare_digest(from_new, new_root):
        raise ProofError("The newer tree does not begin with the older one: the log was rewritten.")


def _range_root(node: Node, begin: int, end: int) -> bytes:
    """Root over the entries `begin` up to `end`; `begin` is a multiple of the largest complete subtree that fits."""
    edge: list[bytes] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        edge.append(node(level, begin >> level))
        begin += 1 << level
    computed = edge.pop()
    while edge:
        computed = node_hash(edge.pop(), computed)
    return computed


def _sides(position: int, last: int, steps: int) -> Iterator[bool]:
    """Tell for each step up from `position` whether the sibling stands on the left; `last` is the rightmost position.

    Raises:
        ProofError: the steps do not end exactly at the root.
    """
    for _ in range(steps):
        if last == 0:
            raise ProofError("The proof is longer than the path to the root.")
        is_left = position & 1 == 1 or position == last
        yield is_left
        while is_left and position and not position & 1:
            position >>= 1
            last >>= 1
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("The proof is shorter than the path to the root.")


def _split(size: int) -> int:
    """Largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _require_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise ProofError("A hash in a proof is not of 32 bytes.")
