"""Calls of one AWS service: reads that persist, writes that are sent once, and what every error means.

A write that fails has changed nothing only where nothing was sent, or where AWS said no. That it is too
busy is a no that passes. Everything else is unsure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks import needed
from reconciler.sinks.aws.account import EXTRA, Account
from reconciler.sinks.aws.faults import Far, Fault, said_no, unanswered
from reconciler.sinks.rest import Denied

PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a call is sent again: a write that AWS was too busy for, a read that failed."""
_DEADLINE: Final = 30.0
"""Seconds after which nothing is sent again: a `put` makes five calls and has five minutes."""
LAGS: Final = (0.1, 0.3, 1.0)
"""Seconds between looks for what AWS took and may show a little later."""
_READING: Final = ("get_", "batch_get_", "list_", "describe_")
_PROOF: Final = {
    "batch_get_secret_value": ("SecretValues", "Errors"),
    "create_secret": ("ARN",),
    "delete_parameter": ("ResponseMetadata",),  # AWS says nothing more
    "delete_secret": ("ARN",),
    "describe_parameters": ("Parameters",),
    "describe_secret": ("ARN",),
    "get_caller_identity": ("Account",),
    "get_parameter": ("Parameter",),
    "get_parameter_history": ("Parameters",),
    "get_parameters": ("Parameters", "InvalidParameters"),
    "get_secret_value": ("VersionId",),
    "list_secrets": ("SecretList",),
    "put_parameter": ("Version",),
    "put_secret_value": ("VersionId",),
    "restore_secret": ("ARN",),
    "update_secret_version_stage": ("ARN",),
}
"""Of these every answer has one. To boto3, a page of a proxy or half an answer is an empty answer."""
_STRANGE: Final = "what answered is not AWS, or the answer broke off"
_RERUN: Final = "run the same command again: it looks before it writes"


@dataclass(frozen=True, slots=True)
class Said:
    """What AWS answered: what was asked for, or the code of an error that the caller is ready for."""

    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    code: str = ""
    why: str = ""


class Service:
    """One service, as one account reaches it.

    Attributes:
        name: What to call the store in messages.
    """

    def __init__(self, service: str, name: str, account: Account) -> None:
        self.name = name
        self._errors = needed("botocore.exceptions", EXTRA)
        self._unreadable = needed("botocore.parsers", EXTRA).ResponseParserError
        self._client = account.client(service)

    def look(
        self, operation: str, given: Mapping[str, object], ready_for: Collection[str] = ()
    ) -> Said:
        """One read, tried again while AWS is in trouble.

        Args:
            operation: As boto3 spells it.
            given: Its parameters.
            ready_for: Codes of errors that are answers to the caller.

        Raises:
            SinkUnread: Anything else; `Denied` if we may not.
        """
        if not operation.startswith(_READING):
            raise ValueError(f"{operation} is no read")  # a plan cannot write, whatever it calls
        found = self._persist(operation, given, ready_for, (Far.BUSY, Far.LOST, Far.UNSENT))
        if isinstance(found, Said):
            return found
        kind = Denied if found.far is Far.DENIED else SinkUnread
        raise kind(f"cannot read {self.name}: {found.why}", hint=found.hint)

    def pages(self, operation: str, given: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
        """Every page of a list. Raises as `look` does."""
        token: Mapping[str, object] = {}
        while True:
            page = self.look(operation, {**given, **token}).data
            yield page
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def send(
        self,
        operation: str,
        given: Mapping[str, object],
        ready_for: Collection[str] = (),
        still: Callable[[], object] | None = None,
    ) -> Said:
        """One write. Sent again only when AWS was too busy to look at it.

        Args:
            operation: As boto3 spells it.
            given: Its parameters.
            ready_for: Codes of errors that are answers to the caller; such a write changed nothing.
            still: Looks again before it is sent again, and raises where the place is another now.

        Raises:
            SinkRefused: It was not carried out.
            SinkUnsure: It may have been carried out.
        """
        found = self._persist(operation, given, ready_for, (Far.BUSY,), still)
        if isinstance(found, Said):
            return found
        if found.far is Far.LOST:
            text = f"{self.name} may or may not have been written: {found.why}"
            raise SinkUnsure(text, hint=_RERUN)
        raise SinkRefused(f"{self.name} was not written: {found.why}", hint=found.hint)

    def _persist(
        self,
        operation: str,
        given: Mapping[str, object],
        ready_for: Collection[str],
        passing: Collection[Far],
        still: Callable[[], object] | None = None,
    ) -> Said | Fault:
        """One call, and again while it fails in a way that passes."""
        last = time.monotonic() + _DEADLINE
        found = self._call(operation, given)
        for pause in PAUSES:
            if isinstance(found, Said) or found.far not in passing or found.code in ready_for:
                break
            if time.monotonic() + pause > last:
                break
            time.sleep(pause)
            if still is not None:
                still()
            found = self._call(operation, given)
        if isinstance(found, Fault) and found.code in ready_for:
            return Said(code=found.code, why=found.why)
        return found

    def _call(self, operation: str, given: Mapping[str, object]) -> Said | Fault:
        try:
            data = getattr(self._client, operation)(**given)
        except self._errors.ClientError as error:
            own = self._client.meta.method_to_api_mapping[operation]
            return said_no(error.response, is_ours=error.operation_name == own)
        except self._errors.BotoCoreError as error:
            return unanswered(error, is_sent=isinstance(error, self._errors.HTTPClientError))
        except self._unreadable as error:
            return unanswered(error, is_sent=True)
        is_whole = any(name in data for name in _PROOF[operation])
        return Said(data) if is_whole else Fault(Far.LOST, _STRANGE)
