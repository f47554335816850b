"""A folder into which a holder delivers XML files, as old as a test says, and what a source reads from it."""

import os

from connectors.protocol import Changes, RecordKey

SEVEN = RecordKey("7")


def mark(number, *, word="x", at="2026-01-01T00:00:00Z", name="R"):
    return f'<D xmlns="urn:made-up"><At>{at}</At><{name}><No>{number}</No><W>{word}</W></{name}></D>'


class Drop:
    """A folder into which a holder's system delivers. Files are as old as the test says, on the test's clock."""

    def __init__(self, path, clock):
        self.path = path
        self.clock = clock

    def put(self, name, content, *, age_seconds=3600):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.touch(file, age_seconds)
        return file

    def touch(self, file, age_seconds):
        stamp = self.clock().timestamp() - age_seconds
        os.utime(file, (stamp, stamp))


XML = """
reach: {location: "${HERE}", match: "*.xml", ready: {quiet_seconds: 30}%s}
read: {format: xml, namespaces: {t: "urn:made-up"}, expect: "/t:D", records: "//t:R", deleted: "//t:Gone"}
key: number
revised: {path: "/t:D/t:At", use: [{datetime: UTC}]}
map:
  number: {path: "t:No", use: [trim], required: true}
  word: {path: "t:W", use: [trim]}
"""


def keys(changes):
    assert isinstance(changes, Changes)
    return sorted(found.key for found in changes.found)
