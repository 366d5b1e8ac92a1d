"""Who we are to AWS, and where: as the config says, else as every AWS tool finds it out.

Credentials come from where boto3 looks for them (environment, profile, single sign-on, web identity of a CI
job or pod, instance role), never from the config.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, cast

from reconciler.errors import UsageError
from reconciler.http import address_of
from reconciler.sinks import Identity, Options, needed
from reconciler.surroundings import Surroundings

EXTRA: Final = "aws"
CONNECTIONS: Final = 8
_EXAMPLE: Final = "write it like https://vpce-0a1b.secretsmanager.eu-central-1.vpce.amazonaws.com"
_STS: Final = "sts"
_TALKATIVE: Final = ("boto3", "botocore")
_TIMES: Final = {"connect_timeout": 5, "read_timeout": 20}
"""Seconds; what they mean for a whole `put` is said in `calls`."""


class Account:
    """A session with one account in one region."""

    def __init__(self, options: Options, around: Surroundings) -> None:
        """Reads files of the AWS tools, no network.

        Raises:
            UsageError: boto3 is missing, or there is no such profile, or no region.
        """
        boto3 = needed("boto3.session", EXTRA)
        self._errors = needed("botocore.exceptions", EXTRA)
        self._options = options
        self._around = around
        for (
            name
        ) in _TALKATIVE:  # they log requests and answers whole; of failures we tell ourselves
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            low = _session(options.get("profile"))
            low.get_scoped_config()
            session = boto3.Session(botocore_session=low, region_name=_region(options, around))
        except self._errors.BotoCoreError as error:
            raise UsageError(str(error), hint="mend `profile`, or the files in ~/.aws") from None
        if session.region_name is None:
            raise UsageError(
                "an AWS sink has no region", hint="set `region` in the config, or AWS_REGION"
            )
        if "role_arn" in options:
            role = _in_role(session, options)
            session = boto3.Session(botocore_session=role, region_name=session.region_name)
        self._session = session

    def client(self, service: str) -> Any:
        """A client of boto3 that sends nothing twice. Raises UsageError if it would in clear text."""
        config = needed("botocore.config", EXTRA).Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=CONNECTIONS,
            **_TIMES,
        )
        url = None if service == _STS else self._options.get("endpoint_url")
        try:
            client = self._session.client(service, endpoint_url=url, config=config)
        except (self._errors.BotoCoreError, ValueError) as error:
            text = f"AWS {service} cannot be asked: {type(error).__name__}"
            raise UsageError(text, hint="check `endpoint_url` and `region`") from None
        allow_http = self._around.allow_http
        address_of(client.meta.endpoint_url, "the endpoint of AWS", _EXAMPLE, allow_http=allow_http)
        return client


def identity(options: Options, around: Surroundings) -> Identity:
    """Region and path, as far as the config tells the account."""
    account = [str(options.get(name, "")) for name in ("endpoint_url", "profile", "role_arn")]
    return (*account, _region(options, around) or "", *str(options["path"]).split("/"))


def tags_of(options: Options) -> dict[str, object]:
    """The parameter for tags, for calls that make something new; empty without any."""
    tags = cast("Mapping[str, str]", options.get("tags", {}))
    return {"Tags": [{"Key": k, "Value": v} for k, v in sorted(tags.items())]} if tags else {}


def _region(options: Options, around: Surroundings) -> str | None:
    """AWS_REGION is what its tools set; boto3 alone looks at AWS_DEFAULT_REGION only."""
    found = (options.get("region"), *map(around.env.get, ("AWS_REGION", "AWS_DEFAULT_REGION")))
    return next((str(region) for region in found if region), None)


def _session(profile: object) -> Any:
    """What boto3 sits on. The descriptions of the services, which are large, are read once."""
    low = needed("botocore.session", EXTRA).Session(profile=profile)
    low.register_component("data_loader", _descriptions())
    return low


@cache
def _descriptions() -> Any:
    return needed("botocore.loaders", EXTRA).create_loader()


def _in_role(session: Any, options: Options) -> Any:
    """A session that takes on the role when it sends its first request, and again before it ends."""
    role = _session(options.get("profile"))
    role._credentials = needed("botocore.credentials", EXTRA).DeferredRefreshableCredentials(  # noqa: SLF001 - there is no other door
        refresh_using=_taking_on(session, options), method="assume-role"
    )
    return role


def _taking_on(session: Any, options: Options) -> Callable[[], Mapping[str, str]]:
    wanted = {"RoleArn": options["role_arn"], "RoleSessionName": "netbird-tokens"}
    if "external_id" in options:
        wanted["ExternalId"] = options["external_id"]

    def refresh() -> Mapping[str, str]:
        given = session.client(_STS).assume_role(**wanted)["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    return refresh
