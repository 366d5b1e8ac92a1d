"""AWS on loopback: moto over HTTP, a relay before it, and a way to it that is not the sink's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from fakes.relay import Passed, Relay

SERVER = Path(__file__).parent / "moto_server.py"
REGION = "eu-central-1"
ENV = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Signing(Relay):
    """A relay before AWS itself: a signature is for one host, so each request is signed once more."""

    service: str = ""
    region: str = REGION

    def passed_on(self, method: str, path: str, headers: Message, body: bytes) -> Passed:
        named = {k: v for k, v in headers.items() if k.lower() in ("content-type", "x-amz-target")}
        request = AWSRequest(method, self.upstream + path, named, body)
        credentials = boto3.session.Session().get_credentials()
        SigV4Auth(credentials, self.service, self.region).add_auth(request)
        answer = requests.request(method, request.url, headers=dict(request.headers), data=body, timeout=30)
        return answer.status_code, list(answer.headers.items()), answer.content


@contextmanager
def moto() -> Iterator[str]:
    """A server of its own; yields its URL."""
    argv = [sys.executable, str(SERVER)]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, text=True, **quiet) as server:  # type: ignore[call-overload]
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()
        server.wait(10)


def empty(url: str) -> None:
    """Everything that was made there is gone."""
    requests.post(f"{url}/moto-api/reset", timeout=30).raise_for_status()


@cache
def client(service: str, url: str | None, region: str = REGION) -> Any:
    """As a consumer, or a stranger, has it."""
    return boto3.session.Session().client(service, endpoint_url=url, region_name=region)
