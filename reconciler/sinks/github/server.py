"""Which server is asked, and for which one the tokens of the environment are meant: as `gh` has it.

`GH_TOKEN` and `GITHUB_TOKEN` are for github.com and GHE.com, or in Actions for the server that runs the job.
`GH_ENTERPRISE_TOKEN` and `GITHUB_ENTERPRISE_TOKEN` are for the one that `GH_HOST` names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.http import Address, Auth, address_of
from reconciler.sinks import Options
from reconciler.sinks.bearer import bearer
from reconciler.sinks.rest import Missing
from reconciler.surroundings import Surroundings

_API: Final = "https://api.github.com"
_EXAMPLE: Final = "write it like https://github.example/api/v3"
_TOKENS: Final = ("GH_TOKEN", "GITHUB_TOKEN")
_ENTERPRISE: Final = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


def address_in(options: Options, around: Surroundings) -> Address:
    """Where the config says, else where the job of Actions runs, else github.com. Raises UsageError."""
    url = str(options.get("api_url") or around.env.get("GITHUB_API_URL") or _API)
    return address_of(url, "the address of GitHub's API", _EXAMPLE, allow_http=around.allow_http)


def credential(address: Address, options: Options, around: Surroundings) -> Auth | Missing:
    """A token that is meant for this server. Raises UsageError if GITHUB_API_URL is no address."""
    if "token_env" in options:
        return bearer(options, around, ())
    home = address_in({}, replace(around, allow_http=True))  # nothing is sent to this one
    is_home = address.server == home.server or (_is_githubs(address) and _is_githubs(home))
    names = _TOKENS if is_home or address.is_loopback else ()
    if around.env.get("GH_HOST", "").lower() in (address.host, address.host.removeprefix("api.")):
        names = (*names, *_ENTERPRISE)
    elsewhere = f"{' and '.join(_TOKENS)} are for {home.host} and not sent to {address.host}"
    way_out = "name the variable of its token with `token_env`, or set GH_HOST as for `gh`"
    return bearer(options, around, names, "" if names else f"{elsewhere}; {way_out}")


def _is_githubs(address: Address) -> bool:
    return address.host == "api.github.com" or address.host.endswith(".ghe.com")
