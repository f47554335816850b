"""A log, its witnesses, a stranger, and the text of a checkpoint to sign."""

from ipx.keys import generate_signer
from ipx.note import COSIGNATURE, Checkpoint, NoteSigner

LOG = NoteSigner("gw.example/log", generate_signer())
WITNESSES = [NoteSigner(f"w{number}.example", generate_signer(), COSIGNATURE) for number in range(3)]
STRANGER = NoteSigner("stranger.example", generate_signer())
TEXT = Checkpoint("gw.example/log", 88_240, bytes(range(32))).text()
