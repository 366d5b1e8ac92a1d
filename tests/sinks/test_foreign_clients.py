"""`gh` and `glab` at our fakes: what pleases a client that is not ours is near enough to the real thing.

Both speak plain http only with some persuasion, and to no port: our fake stands in as the proxy for a host
that there is not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.github import Github, Place
from fakes.gitlab import Gitlab

from reconciler.core.receipts import Damaged, Stored
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put

KEY = "NB_PAT"
IN_REPO = ["--repo", "github.localhost/acme/infra"]


class Client:
    """A command in surroundings of its own."""

    def __init__(self, name: str, home: Path, **env: str) -> None:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed: see tests/README.md")
        self.path, self.home = found, home
        self.env = {"HOME": str(home), "PATH": os.environ["PATH"], "NO_COLOR": "1", **env}

    def __call__(self, *argv: str, stdin: str = "") -> str:
        done = subprocess.run(
            [self.path, *argv],
            input=stdin, env=self.env, cwd=self.home, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done
        return done.stdout + done.stderr


@pytest.fixture
def github() -> Iterator[Github]:
    with Github().served() as github:
        yield github


@pytest.fixture
def gitlab() -> Iterator[Gitlab]:
    with Gitlab().served() as gitlab:
        yield gitlab


@pytest.mark.parametrize(
    ("place", "options", "where", "more"),
    [
        ("repos/acme/infra/actions", {"repository": "acme/infra"}, IN_REPO, []),
        (
            "repos/acme/infra/environments/staging",
            {"repository": "acme/infra", "environment": "staging"},
            [*IN_REPO, "--env", "staging"],
            [],
        ),
        ("orgs/acme/actions", {"organization": "acme"}, ["--org", "acme"], ["--visibility", "all"]),
    ],
    ids=["repository", "environment", "organization"],
)
def test_gh(
    github: Github, tmp_path: Path, place: str, options: dict[str, object], where: list[str], more: list[str]
) -> None:
    github.places.setdefault(place, Place())
    token = github.token()
    gh = Client(
        "gh", tmp_path, HTTP_PROXY=github.url, GH_HOST="github.localhost", GH_TOKEN=token,
        GH_NO_UPDATE_NOTIFIER="1",
    )  # fmt: skip
    around = Surroundings(tmp_path, {"GH_TOKEN": token}, allow_http=False)
    sink = sink_type("github").build({**options, "api_url": github.url}, around)
    put(sink, KEY, 1)
    assert KEY in gh("secret", "list", *where)
    gh("secret", "set", KEY, *where, *more, stdin="by-somebody-else")
    assert github.places[place].read(KEY) == "by-somebody-else"
    held = sink.read(KEY)
    assert isinstance(held, Damaged)
    put(sink, KEY, 2)
    assert isinstance(sink.read(KEY), Stored)
    assert github.places[place].read(KEY) == plain(2)
    gh("secret", "remove", KEY, *where)
    assert github.places[place].read(KEY) is None


def test_glab(gitlab: Gitlab, tmp_path: Path) -> None:
    token = gitlab.token()
    host = "gitlab.localhost"
    folder = tmp_path / "glab-cli"
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        f"host: {host}\ncheck_update: false\nhosts:\n  {host}:\n    api_protocol: http\n"
        f"    api_host: {host}\n    token: {token}\n",
        "utf-8",
    )
    config.chmod(0o600)
    glab = Client("glab", tmp_path, HTTP_PROXY=gitlab.url, GLAB_CONFIG_DIR=str(folder), GITLAB_HOST=host)
    repo = ("--repo", f"http://{host}/acme/infra")
    options = {
        "project": "acme/infra", "environment_scope": "*", "masked": True, "protected": True,
        "hidden": False, "url": gitlab.url,
    }  # fmt: skip
    around = Surroundings(tmp_path, {"GITLAB_TOKEN": token}, allow_http=False)
    sink = sink_type("gitlab").build(options, around)
    put(sink, KEY, 1)
    assert KEY in glab("variable", "list", *repo)
    assert plain(1) in glab("variable", "get", KEY, *repo)
    glab("variable", "update", KEY, *repo, stdin="by-somebody-else")
    assert isinstance(sink.read(KEY), Damaged)
    put(sink, KEY, 2)
    assert isinstance(sink.read(KEY), Stored)
    glab("variable", "delete", KEY, *repo)
    glab("variable", "set", KEY, *repo, "--scope", "production", stdin="of-production")
    assert gitlab.read("projects/acme%2Finfra", KEY, "production") == "of-production"
    put(sink, KEY, 3)
    assert gitlab.read("projects/acme%2Finfra", KEY, "production") == "of-production"
    assert gitlab.read("projects/acme%2Finfra", KEY) == plain(3)
