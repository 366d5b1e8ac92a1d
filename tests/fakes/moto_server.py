"""moto's server as a process of its own, with the rules of AWS that moto lacks; prints its port.

Each rule is from the reference of the API. Without it a test would overlook a fault of ours, or make one up.
"""

from __future__ import annotations

import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, SecretsStore
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.ssm.exceptions import ValidationException
from moto.ssm.models import SimpleSystemManagerBackend
from werkzeug.serving import make_server

MOST = 65_536
BATCH = 20
Given = dict[str, Any]
Rule = Callable[[Callable[..., Any], Any, Given], Any]


def before(backend: type, name: str) -> Callable[[Rule], Rule]:
    """Put a rule before a method: it gets the method, its object, and all arguments by name."""

    def put(rule: Rule) -> Rule:
        plain = getattr(backend, name)
        names = inspect.signature(plain)

        def ruled(self: Any, *args: Any, **given: Any) -> Any:
            bound = dict(names.bind(self, *args, **given).arguments)
            del bound["self"]
            return rule(lambda **changed: plain(self, **{**bound, **changed}), self, bound)

        setattr(backend, name, ruled)
        return rule

    return put


def secret_of(backend: SecretsManagerBackend, given: Given) -> FakeSecret | None:
    """The secret that is meant; whatever is marked for deletion answers to nothing."""
    found = backend.secrets.get(given["secret_id"])
    if isinstance(found, FakeSecret) and found.is_deleted():
        raise InvalidRequestException("You can't do this: the secret was marked for deletion.")
    return found if isinstance(found, FakeSecret) else None


@before(SecretsStore, "get")
def a_whole_arn_is_of_one_secret(plain: Callable[..., Any], _: Any, given: Given) -> Any:
    found = plain()
    is_whole = re.search(r":secret:.*-\w{6}$", given["key"])
    return None if found is not None and is_whole and found.arn != given["key"] else found


@before(SecretsManagerBackend, "delete_secret")
def of_an_earlier_secret_nothing_is_deleted(plain: Callable[..., Any], self: Any, given: Given) -> Any:
    name = given["secret_id"]
    is_gone = name.startswith("arn:") and self.secrets.get(name) is None
    return (name, name, 0.0) if is_gone else plain()


@before(SecretsManagerBackend, "get_secret_value")
def without_a_version_the_current_one_is_meant(plain: Callable[..., Any], self: Any, given: Given) -> Any:
    secret, version, stage = secret_of(self, given), given["version_id"] or None, given["version_stage"]
    if secret is not None and version and version not in secret.versions:
        raise ResourceNotFoundException("Secrets Manager can't find the specified secret value.")
    return plain(version_id=version, version_stage=stage or (None if version else "AWSCURRENT"))


@before(SecretsManagerBackend, "batch_get_secret_value")
def a_batch_tells_every_error(plain: Callable[..., Any], self: Any, given: Given) -> Any:
    names = given.get("secret_id_list")
    if not names:
        return plain()
    if len(names) > BATCH:
        raise InvalidParameterException("SecretIdList has too many members")
    values, errors = [], []
    for name in names:
        try:
            values.append(self.get_secret_value(name, None, None))
        except JsonRESTError as error:
            errors.append({"SecretId": name, "ErrorCode": error.error_type, "Message": error.message})
    return values, errors, None


@before(SecretsManagerBackend, "put_secret_value")
def a_version_never_changes(plain: Callable[..., Any], self: Any, given: Given) -> Any:
    secret, name, text = secret_of(self, given), given["client_request_token"], given["secret_string"]
    if len(text or "") > MOST:
        raise InvalidParameterException("SecretString is too long")
    there = secret.versions.get(name) if secret is not None else None
    if secret is None or there is None:
        return plain()
    if there.get("secret_string") != text:
        raise ResourceExistsException(f"ClientRequestToken {name} is in use for another value.")
    return secret.to_short_dict(include_version_stages=True, version_id=name)


@before(SecretsManagerBackend, "update_secret_version_stage")
def labels_move_to_what_is_there(plain: Callable[..., Any], self: Any, given: Given) -> Any:
    secret, to = secret_of(self, given), given["move_to_version_id"]
    if secret is not None and to and to not in secret.versions:
        raise ResourceNotFoundException("Secrets Manager can't find the specified secret version.")
    done = plain()
    if secret is not None and to and given["version_stage"] == "AWSCURRENT":
        secret.set_default_version_id(to)  # else the next write takes the label from the wrong one
    return done


@before(SimpleSystemManagerBackend, "put_parameter")
def a_parameter_obeys_its_pattern(plain: Callable[..., Any], _: Any, given: Given) -> Any:
    pattern, value = given["allowed_pattern"], given["value"]
    if pattern and not re.search(pattern, value):
        raise JsonRESTError("ParameterPatternMismatchException", "The value does not match.")
    if len(given["description"] or "") > 1024 or len(value) > 4096:
        raise ValidationException("1 validation error detected: a member is too long")
    return plain()


class OneAtATime:
    """moto looks and writes in two steps; AWS in one."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._turn = threading.Lock()

    def __call__(self, environ: Any, start: Any) -> Iterable[bytes]:
        with self._turn:
            return list(self._app(environ, start))


def main() -> None:
    app = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # until whoever started it is gone


if __name__ == "__main__":
    main()
