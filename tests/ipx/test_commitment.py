"""What the log commits to: opened by the documents, or by the receipt alone with the hashes that it states."""

from hashlib import sha256

import pytest

from ipx.commitment import commitment, receipt_commitment
from ipx.errors import FormatError

SALT = bytes(32)
REQUEST, RECORD, RECEIPT = "request", "record", "receipt"
HASHES = [sha256(text.encode()).digest() for text in (REQUEST, RECORD)]


def test_who_has_only_the_receipt_opens_the_same_commitment():
    assert receipt_commitment(SALT, *HASHES, RECEIPT) == commitment(SALT, REQUEST, RECORD, RECEIPT)


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_hash_of_another_length_is_refused(at, size):
    hashes = [*HASHES]
    hashes[at] = (hashes[at] * 2)[:size]

    with pytest.raises(FormatError, match="32 bytes"):
        receipt_commitment(SALT, *hashes, RECEIPT)


def test_bytes_cannot_be_moved_from_one_hash_to_the_other():
    joined = b"".join(HASHES)

    with pytest.raises(FormatError):
        receipt_commitment(SALT, joined[:31], joined[31:], RECEIPT)
