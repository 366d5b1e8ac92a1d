"""Which store a sink of AWS leads to, whatever tells profile, region and endpoint: config or surroundings."""

from __future__ import annotations

from typing import Final

from reconciler.http import address_of
from reconciler.sinks import Identity, Options, Proof
from reconciler.sinks.aws.account import Account
from reconciler.sinks.aws.calls import Service
from reconciler.surroundings import Surroundings

_AMAZON: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def proof(service: str) -> Proof:
    """For one service: account, region and path are one store, through whichever endpoint of AWS."""

    def known(options: Options, around: Surroundings) -> Identity:
        account = Account(options, around)
        meta = account.client(service).meta
        asked = Service("sts", f"the account of AWS {service}", account)
        whose = str(asked.look("get_caller_identity", {}).data["Account"])
        endpoint = address_of(str(meta.endpoint_url), "the endpoint", "", allow_http=True)
        server = "" if endpoint.host.endswith(_AMAZON) else endpoint.server
        return (server, whose, str(meta.region_name), *part(options))

    return Proof(part, known)


def part(options: Options) -> Identity:
    """Where two sinks may be one, or one within the other."""
    return tuple(str(options["path"]).split("/"))
