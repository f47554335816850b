"""The policies of one tier and owner, read from their texts when somebody asks for them.

Of ten thousand policies in force a worker may need a few hundred today. Texts that were found valid before are not read
at the start; nothing is taken for granted by that: their hashes are checked then, and what cannot be read later denies.
"""

import hashlib
import json
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from policies import cedar
from policies.compiled import CompiledPolicy, compile_link, compile_policy
from policies.gate import gate
from policies.reference import CODE, GATEWAY_AUTHORITY, TIERS, PolicyRef, PolicyText, TemplateLink
from policies.schema import Catalogue

Place = tuple[str, str]
"""A tier and an owner."""


class BookError(Exception):
    """Policies that cannot make a book: names the policy and what is wrong with it. The book in force stays."""

    def __init__(self, ref: PolicyRef, problem: str) -> None:
        super().__init__(f"{ref}: {problem}")
        self.ref = ref
        self.problem = problem


class OwnedSet:
    """The policies of one tier and owner; taken over whole where its texts and links are the same.

    `digest` covers texts and links.
    """

    __slots__ = ("_catalogue", "_in_force", "_lock", "_texts", "digest", "given", "links")

    def __init__(self, catalogue: Catalogue, given: tuple[PolicyText, ...], links: tuple[TemplateLink, ...]) -> None:
        """Take texts that are not read yet.

        Raises:
            BookError: a name is malformed, stands twice, or is not that of the text.
        """
        self.given = given
        self.links = links
        self.digest = _digest(given, links)
        self._catalogue = catalogue
        self._texts: Mapping[PolicyRef, CompiledPolicy] | None = None
        self._in_force: Mapping[str, CompiledPolicy] = {}
        self._lock = threading.Lock()

    @property
    def refs(self) -> list[PolicyRef]:
        """All policies' names, in order."""
        return sorted(text.ref for text in self.given)

    @property
    def texts(self) -> Mapping[PolicyRef, CompiledPolicy]:
        """The policies by reference, in order. Raises `BookError`."""
        return self.read()

    @property
    def in_force(self) -> Mapping[str, CompiledPolicy]:
        """The policies and filled templates by the names they have in Cedar. Raises `BookError`."""
        self.read()
        return self._in_force

    @property
    def known(self) -> Mapping[PolicyRef, CompiledPolicy]:
        """The policies read so far."""
        return self._texts or {}

    def read(self, known: Mapping[PolicyRef, CompiledPolicy] | None = None) -> Mapping[PolicyRef, CompiledPolicy]:
        """Read the policies, once.

        Args:
            known: policies that another set has read; those of the same text are taken from there.

        Raises:
            BookError: a policy does not read as one, or as one that may stand here.
        """
        found = self._texts
        if found is None:
            with self._lock:
                found = self._texts
                if found is None:
                    found = {text.ref: self._one(text, known or {}) for text in sorted(self.given, key=_ref)}
                    in_force = {str(ref): one for ref, one in found.items() if not one.is_template}
                    in_force.update(_linked(found, self.links))
                    self._in_force = in_force
                    self._texts = found
        return found

    def _one(self, text: PolicyText, known: Mapping[PolicyRef, CompiledPolicy]) -> CompiledPolicy:
        one = known.get(text.ref)
        return one if one is not None and one.cedar == text.cedar else _compiled(self._catalogue, text)


class Texts(Mapping[PolicyRef, CompiledPolicy]):
    """All policies of a book by reference, in order."""

    def __init__(self, sets: Mapping[Place, OwnedSet]) -> None:
        self._sets = sets

    def __getitem__(self, ref: PolicyRef) -> CompiledPolicy:
        return self._sets[ref.tier, ref.owner].texts[ref]

    def __iter__(self) -> Iterator[PolicyRef]:
        return (ref for one in self._sets.values() for ref in one.refs)

    def __len__(self) -> int:
        return sum(len(one.given) for one in self._sets.values())

    def of(self, tier: str, owner: str) -> Mapping[PolicyRef, CompiledPolicy]:
        """Give those of one tier and owner."""
        found = self._sets.get((tier, owner))
        return found.texts if found is not None else {}


def compile_sets(
    catalogue: Catalogue,
    policies: Iterable[PolicyText],
    links: Iterable[TemplateLink],
    schema: Any,
    previous: Mapping[Place, OwnedSet],
    validated: Collection[PolicyText],
) -> Mapping[Place, OwnedSet]:
    """Group policies by tier and owner; read and validate those that are neither in `previous` nor in `validated`.

    Raises:
        BookError: as `compile_book`.
    """
    given: dict[Place, list[PolicyText]] = {}
    for text in policies:
        given.setdefault((text.ref.tier, text.ref.owner), []).append(text)
    linked: dict[Place, list[TemplateLink]] = {}
    for link in sorted(links, key=lambda link: (link.template, link.agency, link.source or "", link.valid_from)):
        linked.setdefault((link.template.tier, link.template.owner), []).append(link)
        if (link.template.tier, link.template.owner) not in given:
            raise BookError(link.template, "is linked but is no template of this book")
    sets: dict[Place, OwnedSet] = {}
    new: list[CompiledPolicy] = []
    for place, texts in sorted(given.items()):
        own, links_of = tuple(texts), tuple(linked.get(place, ()))
        known = previous.get(place)
        if known is not None and known.given == own and known.links == links_of:
            sets[place] = known
            continue
        made = sets[place] = OwnedSet(catalogue, own, links_of)
        standing = frozenset(known.given) if known is not None else frozenset[PolicyText]()
        fresh = [text for text in own if text not in standing and text not in validated]
        if fresh or links_of or place[0] == "guardrail":
            _pass_gate(fresh)
            read = made.read(known.known if known is not None else None)
            new += (read[text.ref] for text in fresh)
        elif known is not None and known.known:
            made.read(known.known)  # it is in use: nobody is to wait for it
    _validate(new, schema)
    return sets


def sha256(content: object) -> str:
    """Give the digest of a JSON value, hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _digest(given: Sequence[PolicyText], links: Sequence[TemplateLink]) -> str:
    hashes: dict[PolicyRef, str] = {}
    seen: set[str] = set()
    for text in given:
        ref = text.ref
        if ref.policy_id in seen:
            raise BookError(ref, "stands twice")
        seen.add(ref.policy_id)
        if ref.tier not in TIERS or not CODE.fullmatch(ref.owner) or not CODE.fullmatch(ref.policy_id):
            raise BookError(ref, "tier, owner or id is malformed")
        hashes[ref] = hashlib.sha256(text.cedar.encode()).hexdigest()
        if hashes[ref][:8] != ref.revision:
            raise BookError(ref, "the text is not the one its revision names")
    return sha256(
        {
            "policies": [[str(ref), digest] for ref, digest in sorted(hashes.items())],
            "links": [
                [str(link.template), link.agency, link.source, *(one.isoformat() for one in _validity(link))]
                for link in links
            ],
        }
    )


def _validity(link: TemplateLink) -> tuple[datetime, datetime]:
    return link.valid_from, link.valid_until


def _pass_gate(texts: Iterable[PolicyText]) -> None:
    for text in texts:
        findings = gate(text.cedar)
        if findings:
            raise BookError(text.ref, findings[0].message)


def _compiled(catalogue: Catalogue, text: PolicyText) -> CompiledPolicy:
    ref = text.ref
    try:
        compiled = compile_policy(catalogue, text)
    except cedar.PolicyTextError as error:
        raise BookError(ref, str(error)) from error
    if compiled.annotations.get("id") != ref.policy_id:
        raise BookError(ref, "@id is not the id it is stored under")
    if ref.tier == "guardrail" and (compiled.effect != "forbid" or ref.owner != GATEWAY_AUTHORITY):
        raise BookError(ref, f"a guardrail forbids, and {GATEWAY_AUTHORITY} owns it")
    return compiled


def _validate(policies: Sequence[CompiledPolicy], schema: Any) -> None:
    """All at once, for that is fast; one by one only to name the culprit."""
    if policies and cedar.problems("\n".join(policy.cedar for policy in policies), schema):
        for policy in policies:
            found = cedar.problems(policy.cedar, schema)
            if found:
                raise BookError(policy.ref, found[0])


def _linked(
    texts: Mapping[PolicyRef, CompiledPolicy], links: Sequence[TemplateLink]
) -> Iterator[tuple[str, CompiledPolicy]]:
    for number, link in enumerate(links):
        template = texts.get(link.template)
        if template is None or not template.is_template:
            raise BookError(link.template, "is linked but is no template of this book")
        try:
            yield f"{link.template}#{number}", compile_link(template, link)
        except ValueError as error:
            raise BookError(link.template, str(error)) from error


def _ref(text: PolicyText) -> PolicyRef:
    return text.ref
