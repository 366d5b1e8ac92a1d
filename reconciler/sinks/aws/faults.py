"""How far a call of AWS came that failed, and what may be concluded: refused, busy, or nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

from reconciler.http import Stage, printable
from reconciler.http.outcome import failure_of

_BUSY: Final = frozenset(
    [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "SlowDown",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "TooManyUpdates",
    ]
)
_DENIED: Final = frozenset(
    [
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
        "OptInRequired",
    ]
)
_QUOTES_NOTHING: Final = frozenset(
    [
        "NoCredentialsError",
        "PartialCredentialsError",
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
    ]
)
_RIGHTS: Final = "check the credentials, the policy of who signs in, and that of the KMS key"
_NETWORK: Final = "check the region, the endpoint, the network and the proxy"


class Far(Enum):
    """How far a call came that failed; `UNABLE`: not even to the network."""

    UNABLE = auto()
    UNSENT = auto()
    DENIED = auto()
    BUSY = auto()
    SAID_NO = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a call failed; `why` is fit to be printed, `code` is AWS's own word for it."""

    far: Far
    why: str
    code: str = ""

    @property
    def hint(self) -> str:
        """What to do about it."""
        advice = {Far.UNABLE: _RIGHTS, Far.DENIED: _RIGHTS, Far.UNSENT: _NETWORK}
        return advice.get(self.far, "")


def said_no(response: Mapping[str, Any], *, is_ours: bool) -> Fault:
    """`is_ours`: the very call, and not one on the way to it, such as taking on a role."""
    error = response.get("Error", {})
    code, text = str(error.get("Code", "")), printable(str(error.get("Message", "")))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    why = f"{code}: {text}" if text else code
    if code in _DENIED or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Fault(Far.DENIED, why, code)
    if not is_ours:
        return Fault(Far.UNSENT, why)
    if code in _BUSY or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Fault(Far.BUSY, why, code)
    refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if refusal and status != HTTPStatus.REQUEST_TIMEOUT:
        return Fault(Far.SAID_NO, why, code)
    return Fault(Far.LOST, why, code)


def unanswered(error: Exception, *, is_sent: bool) -> Fault:
    """No answer, or none that can be read. What botocore says of parameters and answers quotes them."""
    cause = getattr(error, "kwargs", {}).get("error")
    if isinstance(cause, Exception):
        failure = failure_of(cause)
        unsent = failure.stage in (Stage.UNSENT, Stage.UNTRUSTED)
        return Fault(Far.UNSENT if unsent else Far.LOST, failure.reason)
    name = type(error).__name__
    why = printable(str(error)) if name in _QUOTES_NOTHING else name
    return Fault(Far.LOST if is_sent else Far.UNABLE, why)
