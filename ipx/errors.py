"""What may go wrong with a piece of evidence. A verifier raises these and nothing else.

Each message is one sentence for the person who asked: which check failed, and what that means.
"""


class EvidenceError(Exception):
    """A piece of evidence does not hold. Root of all that a verifier raises."""


class FormatError(EvidenceError):
    """Bytes that are not the document they claim to be, or not in its one permitted spelling."""


class SignatureError(EvidenceError):
    """A signature that does not hold, or a key that nobody vouches for in the role it is used in."""


class NoteError(EvidenceError):
    """A signed note or checkpoint that is malformed, unsigned, wrongly signed or short of witnesses."""


class ProofError(EvidenceError):
    """A Merkle proof, tile or tree that does not lead to the root it should."""


class BindingError(EvidenceError):
    """Documents that hold each by itself but do not belong together, or not to their time."""


class TrustError(EvidenceError):
    """A trust list that cannot be relied on: its form, signature, version, or a contradiction in it."""
