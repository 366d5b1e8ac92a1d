"""What an outcome means: whether to try again, what it holds, or which error it is.

A read that fails has changed nothing. A write that fails has changed nothing only where nothing was
sent, or where the server, or a proxy before it, said no. Everything else is Uncertain (DESIGN §5).
"""

from __future__ import annotations

from typing import Final, assert_never

from reconciler.api import wire
from reconciler.api.refusals import Call, lost_own_token, refusal
from reconciler.errors import BadAnswer, Unavailable, Uncertain
from reconciler.http import Answer, Failure, Json, Outcome, Stage, Text
from reconciler.http.retry import FAILING, LIMITED, Again, Patience

ONCE_MORE: Final = Patience(tries=2, first=0.5, longest=0.5)
"""A 401 can be a hiccup of the server's database (netbird-api.md §3), but seldom is."""
_RERUN: Final = "run the same command again: it finds out what was done, and tidies up"


def wish_of_read(outcome: Outcome, call: Call) -> Again | None:
    """Whether a read deserves another try."""
    match outcome:
        case Failure(stage):
            return Again(FAILING) if stage in (Stage.UNSENT, Stage.LOST) else None
        case Answer(status=401):
            return Again(ONCE_MORE)
        case Answer(status=200, content=Text(claims_json=True)):
            return Again(FAILING)  # cut off on its way
        case Answer() if outcome.is_trouble or lost_own_token(outcome, call):
            return Again(FAILING, outcome.retry_after)
        case Answer():
            return wish_of_write(outcome)
        case _:
            assert_never(outcome)


def wish_of_write(outcome: Outcome) -> Again | None:
    """Only a 429 has provably had no effect (netbird-api.md §5)."""
    match outcome:
        case Answer(status=429):
            return Again(LIMITED, outcome.retry_after)
        case _:
            return None


def read(outcome: Outcome, call: Call) -> object:
    """The JSON of a read's answer; raises the ApiError that it is otherwise."""
    match outcome:
        case Answer(status=200, content=Json(value)):
            return value
        case Answer():
            raise refusal(outcome, call)
        case Failure(Stage.TOO_LARGE, reason):
            raise BadAnswer(f"could not {call.what}: {reason}", hint=wire.HINT)
        case Failure(stage, reason):
            raise Unavailable(f"could not {call.what}: {reason}", hint=_advice(stage))
        case _:
            assert_never(outcome)


def written(outcome: Outcome, call: Call) -> object:
    """The JSON of a write's answer; raises Uncertain unless it provably had no effect."""
    match outcome:
        case Answer(status=200, content=Json(value)):
            return value
        case Answer(status) if status in range(300, 500) and not outcome.is_trouble:
            raise refusal(outcome, call)
        case Answer(status):
            raise uncertain(call, f"the server answered {status}, which proves nothing")
        case Failure(Stage.UNSENT | Stage.UNTRUSTED as stage, reason):
            raise Unavailable(f"could not {call.what}: {reason}", hint=_advice(stage))
        case Failure(_, reason):
            raise uncertain(call, reason)
        case _:
            assert_never(outcome)


def uncertain(call: Call, reason: str) -> Uncertain:
    """Nobody knows whether the call was carried out."""
    return Uncertain(f"it is not known whether we could {call.what}: {reason}", hint=_RERUN)


def _advice(stage: Stage) -> str:
    if stage is Stage.UNTRUSTED:
        return "is the certificate right for this host? REQUESTS_CA_BUNDLE names a private CA"
    return "nothing was done; check management_url, the network and the proxy, then try again"
