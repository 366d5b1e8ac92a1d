"""Why a change is in the plan. Reasons are for people: the engine never reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Cause(StrEnum):
    """What brought a change about."""

    CONFIG = "config"
    """The file asks for it."""
    LIFECYCLE = "lifecycle"
    """Time passed; the file approved it long ago."""
    DRIFT = "drift"
    """Somebody or something changed the world behind the file's back."""


class Reason(Enum):
    """A code for machines, a cause, and a paragraph for `netbird-tokens explain CODE`."""

    NEW = ("new", Cause.CONFIG, "The file lists this token and no sink holds a secret for it.")
    STALE = (
        "secret-stale",
        Cause.DRIFT,
        "The sink holds the secret of a token that was revoked. Whoever reads it is locked out, so a "
        "new token is made at once.",
    )
    LAPSED = (
        "secret-expired",
        Cause.DRIFT,
        "The sink holds the secret of a token that has expired: no run came in time to renew it. Whoever "
        "reads it is locked out, so a new token is made at once.",
    )
    MISSING = (
        "secret-missing",
        Cause.DRIFT,
        "Some sink of this token lacks the secret, or two sinks hold different ones. A secret is "
        "shown once and never copied between sinks, so a new token is made and written to all of "
        "them; every old one becomes a predecessor.",
    )
    DAMAGED = (
        "secret-damaged",
        Cause.DRIFT,
        "The value in the sink is not the one its receipt describes: somebody overwrote it, or a "
        "write was cut off. A new token takes its place.",
    )
    RENAMED = ("renamed", Cause.CONFIG, "The entry has a new name; `previously` names the old one.")
    USER_CHANGED = ("user-changed", Cause.CONFIG, "The entry now belongs to another user.")
    LIFETIME = (
        "lifetime-changed",
        Cause.CONFIG,
        "The live token was made for another number of days than the file asks for, or outlives "
        "`expires_on`. A token cannot be edited, so it is replaced.",
    )
    ROTATION = ("rotation-raised", Cause.CONFIG, "`rotation` in the file was raised.")
    DUE = (
        "due",
        Cause.LIFECYCLE,
        "The renewal window is reached: `renew_before` its end, a little earlier by a jitter that "
        "depends on set and name alone, so that not everything is renewed on one day.",
    )
    DEFERRED = (
        "deferred",
        Cause.LIFECYCLE,
        "Its renewal waits for a later run: this one already carries out `max_renewals` of them, those "
        "with the nearest end first. What might not live until the run after the next is never deferred.",
    )
    REQUESTED = ("rotate-requested", Cause.LIFECYCLE, "Somebody ran `netbird-tokens rotate`.")
    PROTECT = (
        "protect-changed",
        Cause.CONFIG,
        "`protect` in the file differs from the receipt's. Only the receipt is rewritten.",
    )
    DEPLOYED = (
        "deployed",
        Cause.LIFECYCLE,
        "The deploy hooks have succeeded for this secret, so its receipt no longer says that they have "
        "still to. No plan says this; the audit log does.",
    )
    FIRST_USE = (
        "first-use",
        Cause.CONFIG,
        "The set has never written to this sink. The registration is what later tells a crash "
        "from a sink that is the wrong one, new, or gone with its machine.",
    )
    ACCEPTED = ("registration-accepted", Cause.CONFIG, "`--accept-registration` named this sink.")
    TOMBSTONE = ("absent", Cause.CONFIG, "The file says `state: absent`.")
    REMOVED = ("entry-removed", Cause.CONFIG, "The entry is gone and a receipt proves it is ours.")
    SUPERSEDED = (
        "superseded",
        Cause.LIFECYCLE,
        "A newer token is in every sink, its overlap has passed, and this one is no longer used.",
    )
    EXPIRED = ("expired", Cause.LIFECYCLE, "It no longer works; the server would keep it for ever.")
    ORPHAN = (
        "orphan",
        Cause.DRIFT,
        "A run of ours minted it and died before any sink held it: made by our principal, under a "
        "name of the file, after we registered, in no receipt, and never used for a whole overlap: until "
        "then it might be in a sink that this config does not know. Nobody can use an orphan's secret.",
    )
    UNMANAGED_REVOKED = ("unmanaged-revoked", Cause.DRIFT, "`unmanaged: {action: revoke}`.")
    LEFTOVER = (
        "leftover",
        Cause.LIFECYCLE,
        "A sink still holds the secret of a token that is gone.",
    )
    DROPPED = (
        "sink-dropped",
        Cause.CONFIG,
        "The entry no longer names this sink, so its secret leaves it. The token lives on in the others.",
    )
    IN_SYNC = ("in-sync", Cause.CONFIG, "Token, secret and file agree.")
    ADOPTED = (
        "adopted",
        Cause.CONFIG,
        "A token that somebody made by hand stands in for this entry until it must be renewed. "
        "Its secret is where it was; no sink of ours holds it yet.",
    )
    ENDED = ("ended", Cause.LIFECYCLE, "`expires_on` is reached, or `renew: false` and it expired.")
    YOUNG = (
        "young",
        Cause.LIFECYCLE,
        "Younger than the grace of 15 minutes: another run may be about to store it.",
    )
    OVERLAP = ("in-overlap", Cause.LIFECYCLE, "Old and new both work until the overlap has passed.")
    IN_USE = (
        "superseded-in-use",
        Cause.LIFECYCLE,
        "It was replaced but somebody still uses it. Find the consumer, or let it expire.",
    )
    UNTIL_EXPIRY = ("until-expiry", Cause.LIFECYCLE, "`retire: at-expiry` leaves it to expire.")
    PENDING = ("pending", Cause.LIFECYCLE, "It stays until its successor is in every sink.")
    OWN = ("own-credential", Cause.LIFECYCLE, "We may be running with it; it is never revoked.")
    UNREAD = (
        "unread",
        Cause.DRIFT,
        "A user's tokens or a sink could not be read. Could not look is never taken for nothing "
        "there: what depends on it is left alone, and the run says it is incomplete.",
    )
    PROTECTED = (
        "protected",
        Cause.CONFIG,
        "Its receipt says `protect: true`. Set `protect: false` in one apply, remove the entry in "
        "the next; or name it with `--allow-revoke`.",
    )
    FOREIGN_SECRET = (
        "foreign-secret",
        Cause.DRIFT,
        "The place holds something that no receipt vouches for. It is never overwritten, unless "
        "the entry says `adopt`.",
    )
    OTHER_SET = ("other-set", Cause.CONFIG, "The place or the token belongs to another set.")
    ADOPT_AMBIGUOUS = ("adopt-ambiguous", Cause.CONFIG, "`adopt: true` fits several live tokens.")
    ADOPT_MISSING = ("adopt-missing", Cause.CONFIG, "No live token has the id that `adopt` names.")
    SAME_NAME = (
        "same-name",
        Cause.DRIFT,
        "It has the name of an entry, but no receipt knows it. Names never decide: adopt or revoke it.",
    )
    UNMANAGED = ("unmanaged", Cause.DRIFT, "A live token of a user in scope that nobody declares.")

    def __init__(self, code: str, cause: Cause, meaning: str) -> None:
        self.code = code
        self.cause = cause
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Why:
    """A reason with the particulars of this case, in words."""

    reason: Reason
    text: str
