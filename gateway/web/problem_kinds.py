"""The kinds of problems that an answer can be (RFC 9457): a slug, its status, its title, and what the caller can do."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, a title that never changes, and what the caller can do."""

    status: int
    title: str
    cure: str


PROBLEMS: Mapping[str, Kind] = {
    "invalid-request": Kind(
        400, "The request cannot be read", "Mend the member that `errors` names and send it again."
    ),
    "invalid-signature": Kind(
        400,
        "The signature of the request does not hold",
        "Sign with a key that is registered and live for this client.",
    ),
    "stale-request": Kind(
        400, "The request is too old or from the future", "Set the clock, then sign a new request with a new `jti`."
    ),
    "not-signed-in": Kind(401, "Nobody is signed in", "Sign in at /sign-in."),
    "unauthenticated": Kind(
        401, "No valid access token", "Get a token at /oauth/token and prove possession of its key (DPoP)."
    ),
    "insufficient-scope": Kind(
        403, "The token's scope does not suffice", "Ask for a token with the scope named in WWW-Authenticate."
    ),
    "denied": Kind(
        403,
        "The policy does not release this",
        "See `withheld` and the reason; another purpose, case or approval may change it.",
    ),
    "not-allowed": Kind(
        403,
        "Your roles or your agency do not allow this",
        "Ask an administrator for the role, or a colleague who has it.",
    ),
    "officer-excluded": Kind(
        403, "You may not decide on this request", "Another officer of the holder has to: nobody decides on their own."
    ),
    "own-change": Kind(403, "Nobody reviews their own change", "Another approver has to, who wrote no part of it."),
    "purpose-outside-token": Kind(
        403,
        "The request is outside the token's purpose",
        "Get a token for this purpose, or sign the request for the token's.",
    ),
    "not-found": Kind(404, "There is nothing at this address", "Check the address; /docs lists those that exist."),
    "no-information": Kind(
        404, "No information", "Either there is no such record or you may not learn whether there is."
    ),
    "method-not-allowed": Kind(405, "This address does not take that method", "Use one of the methods in `Allow`."),
    "not-acceptable": Kind(
        406, "It has no form that you accept", "Ask without an Accept header: every answer has a form in JSON."
    ),
    "in-flight": Kind(409, "The same request is being answered", "Wait as Retry-After says, then look at Location."),
    "illegal-transition": Kind(
        409, "It is not in a state that allows this", "Look at it again: it was decided, withdrawn, void or expired."
    ),
    "jti-reused": Kind(
        409, "Another request with this `jti` exists", "Make a new `jti` for each request; repeat only the same bytes."
    ),
    "not-yet-provable": Kind(
        409,
        "The evidence is not complete yet",
        "Witnesses or the time-stamp authority are still to confirm it: ask again as Retry-After says.",
    ),
    "older-revision": Kind(
        409, "A later version of this record was taken before", "Send the version that is true now; `as_of` says when."
    ),
    "contradictory-revision": Kind(
        409, "Another version with the same `as_of` was taken before", "Send what is true with a later `as_of`."
    ),
    "base-moved": Kind(
        409,
        "Other policies came into force meanwhile",
        "Take the change over to what is in force now (`rebase`), collect evidence and ask for review again.",
    ),
    "evidence-changed": Kind(
        409, "The evidence is not the one you saw", "Look at the change again; what was said before counts no longer."
    ),
    "already-exists": Kind(409, "It exists already", "Choose another name or change the one that exists."),
    "link-spent": Kind(
        410, "This link does not work any more", "It was used or has expired: ask an administrator for a new one."
    ),
    "answer-gone": Kind(
        410,
        "The answer is given out no more",
        "It was erased, or called back by the holder. The receipt stays readable; ask again with a new request.",
    ),
    "stale-version": Kind(
        412, "It was changed since you read it", "Read it again and send the version of its `ETag` in If-Match."
    ),
    "too-large": Kind(413, "The body is too large", "Send at most the size in `detail`."),
    "unsupported-media-type": Kind(415, "The body is not of the type taken here", "Send the media type in `detail`."),
    "invalid-field": Kind(422, "A member of the request cannot be taken", "Mend the members that `errors` names."),
    "precondition-required": Kind(
        428, "Say which version you have seen", "Send the `ETag` of what you read in If-Match."
    ),
    "quota-exhausted": Kind(
        429, "The quota is used up", "Wait as Retry-After says, or ask the operator of the gateway for a larger one."
    ),
    "too-many-requests": Kind(429, "Too many requests", "Wait as Retry-After says."),
    "no-container": Kind(
        501,
        "This gateway makes no signed containers",
        "Take the plain bundle; the operator sets IPX_CONTAINER_KEY and IPX_CONTAINER_CERTIFICATE for the other.",
    ),
    "internal": Kind(500, "A fault of this gateway", "Report the trace id to the operator; nothing was released."),
    "upstream-failed": Kind(
        502,
        "The identity provider could not be believed",
        "Sign in again, or in another way; the operator can see why.",
    ),
    "holder-failed": Kind(
        502, "The holder's system answered badly", "Ask again later with a new `jti`; the receipt proves the attempt."
    ),
    "log-unavailable": Kind(
        503, "The evidence log cannot be written", "Nothing was released; repeat as Retry-After says."
    ),
    "key-unavailable": Kind(
        503,
        "A signing key cannot be used",
        "Nothing leaves unsigned, nothing was released; the operator has been told.",
    ),
    "evidence-overdue": Kind(
        503,
        "Time-stamps of the evidence are overdue",
        "Nothing was asked of anybody; the operator has been told. Ask again later with a new `jti`.",
    ),
    "store-unavailable": Kind(
        503, "The database is not available", "Nothing was released; repeat as Retry-After says."
    ),
    "interrupted": Kind(503, "The exchange was interrupted here", "Nothing was released; ask again with a new `jti`."),
    "policy-unavailable": Kind(
        503, "The policy could not be decided", "Nothing was released; the operator has been told."
    ),
    "holder-timeout": Kind(504, "The holder's system did not answer in time", "Ask again later with a new `jti`."),
}
