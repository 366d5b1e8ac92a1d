"""Signing in with a token that stands in the environment; the config says in which variable."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.secret import Secret
from reconciler.http import Auth, Header
from reconciler.sinks import Options
from reconciler.sinks.rest import Missing
from reconciler.surroundings import Surroundings


def bearer(options: Options, around: Surroundings, variables: Sequence[str]) -> Auth | Missing:
    """The token in the variable that `token_env` names, else in the first of `variables` that is set."""
    named = options.get("token_env")
    names = variables if named is None else (str(named),)
    for name in names:
        token = around.env.get(name, "").strip()
        if token:
            return Header(Secret(token), "Bearer")
    return Missing(f"there is no credential: {' and '.join(names)} not set")
