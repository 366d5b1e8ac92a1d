"""Which server is asked, and for which one the token of the environment is meant.

`GITLAB_TOKEN` is for the server that the environment names, as for `glab` and in GitLab's jobs; else for
gitlab.com.
"""

from __future__ import annotations

from typing import Final

from reconciler.http import Address, Auth, address_of
from reconciler.sinks import Options
from reconciler.sinks.bearer import bearer
from reconciler.sinks.rest import Missing
from reconciler.surroundings import Surroundings

_SERVER: Final = "https://gitlab.com"
_EXAMPLE: Final = "write it like https://gitlab.example"
_NAMED: Final = ("GITLAB_HOST", "GL_HOST", "CI_SERVER_URL", "CI_API_V4_URL")
_VARIABLE: Final = "GITLAB_TOKEN"


def address_in(options: Options, around: Surroundings) -> Address:
    """Where the config says, else where GitLab's job runs, else gitlab.com. Raises UsageError."""
    url = str(options.get("url") or around.env.get("CI_SERVER_URL") or _SERVER)
    return address_of(url, "the address of GitLab", _EXAMPLE, allow_http=around.allow_http)


def credential(address: Address, options: Options, around: Surroundings) -> Auth | Missing:
    """A token that is meant for this server. Raises UsageError if the environment names none such."""
    if "token_env" in options:
        return bearer(options, around, ())
    home = _home(around)
    if address.is_loopback or address.server == home.server:
        return bearer(options, around, (_VARIABLE,))
    elsewhere = f"{_VARIABLE} is for {home.host} and not sent to {address.host}"
    way_out = "name the variable of its token with `token_env`, or set GITLAB_HOST as for `glab`"
    return bearer(options, around, (), f"{elsewhere}; {way_out}")


def _home(around: Surroundings) -> Address:
    """The server that the environment names; `glab` takes a bare host, too."""
    name = next((each for each in _NAMED if around.env.get(each)), "")
    url = around.env.get(name, _SERVER)
    whole = url if "://" in url else f"https://{url}"
    return address_of(whole, name or "GitLab", _EXAMPLE, allow_http=True)
