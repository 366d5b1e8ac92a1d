"""Signing in with a token that stands in the environment; the config says in which variable.

A token that nobody named is meant for one server, as the tools have it that take it from there. It is sent to
no other one, whatever address a config has.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.secret import Secret
from reconciler.http import Auth, Header
from reconciler.sinks import Options
from reconciler.sinks.rest import Missing
from reconciler.surroundings import Surroundings


def bearer(
    options: Options, around: Surroundings, variables: Sequence[str], elsewhere: str = ""
) -> Auth | Missing:
    """The token in the variable that `token_env` names, else in the first of `variables` that is set.

    Args:
        options: Of the sink.
        around: Has the environment.
        variables: Those whose tokens are meant for the server that is asked.
        elsewhere: Why there are none, and what to do.
    """
    named = options.get("token_env")
    names = variables if named is None else (str(named),)
    for name in names:
        token = around.env.get(name, "").strip()
        if token:
            return Header(Secret(token), "Bearer")
    told = elsewhere or f"{' and '.join(names)} not set"
    return Missing(f"there is no credential: {told}")
