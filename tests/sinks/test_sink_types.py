"""Which types of sink there are: our own, those of other packages, and what is imported for whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from boxes import SOMEBODY
from staging import HEAD, SECRET, Ran, Stage

from reconciler.errors import UsageError
from reconciler.sinks import BUILT_IN, needed

ATTIC = '''\
"""A sink type as somebody else writes it."""

from dataclasses import dataclass, replace

from reconciler.core.keys import PATH_KEYS
from reconciler.errors import UsageError
from reconciler.sinks import SinkType, sink_type

FILE = {"format": "raw", "strict": False}


def build(options, around):
    if options.keys() != {"box"}:
        raise UsageError("an attic sink has one option, `box`", hint="write `box: FOLDER`")
    return sink_type("file").build({**FILE, "path": options["box"]}, around)


@dataclass
class Losing:
    """Its connection is lost in one method, and the exception says what was being sent."""

    whole: object
    at: str

    def __getattr__(self, name):
        return lost if name == self.at else getattr(self.whole, name)


def lost(*args):
    sent = [each.reveal() if hasattr(each, "reveal") else each for each in args]
    raise ConnectionError(f"lost while sending {sent}")


def lossy(what, does):
    return lambda options, *args: lost() if options["at"] == what else does(options, *args)


def losing(options, around):
    return Losing(build({"box": "chest"}, around), options["at"])


TYPE = SinkType(keys=lambda options: PATH_KEYS, build=build)
LOSES = SinkType(
    keys=lossy("keys", lambda options: PATH_KEYS),
    build=lossy("build", losing),
    store=lossy("store", lambda options, around: ("chest",)),
)
NEWER = replace(TYPE, api_version=2)
'''
PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "netbird-attic"
version = "1.2"
[project.entry-points."netbird_tokens.sinks"]
"vendor.attic" = "netbird_attic:TYPE"
"vendor.moved" = "netbird_attic:GONE"
"vendor.class" = "netbird_attic:Losing"
"vendor.newer" = "netbird_attic:NEWER"
"vendor.loses" = "netbird_attic:LOSES"
"vendor.dies" = "netbird_dies:TYPE"
[tool.hatch.build.targets.wheel]
include = ["netbird_*.py"]
"""
ENTRY = "{name: terraform, sinks: [attic]}"
RUN = """\
import sys
from reconciler.cli import run
code = run(sys.argv[1:])
print('imported:', *sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    (source / "netbird_attic.py").write_text(ATTIC, "utf-8")
    (source / "netbird_dies.py").write_text("raise ValueError('with the environment in its text')")
    (source / "pyproject.toml").write_text(PROJECT, "utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", target, source], check=True)
    return target


@pytest.fixture
def attic(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed, for this process and for those that it starts."""
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("PYTHONPATH", str(installed))


def imported_by(stage: Stage, *argv: str) -> tuple[Ran, set[str]]:
    """The command as a process of its own, and the modules that it imported."""
    run = [sys.executable, "-c", RUN, *argv]
    done = subprocess.run(run, cwd=stage.folder, capture_output=True, text=True, check=False)
    said, modules = done.stderr.rsplit("imported:", 1)
    return Ran(done.returncode, done.stdout, said), set(modules.split())


@pytest.mark.usefixtures("attic")
def test_a_type_of_another_package_from_plan_to_apply(stage: Stage) -> None:
    stage.config("sinks: {attic: {type: vendor.attic, box: chest}}\n")
    stage.tokens_file(ENTRY)
    assert "attic:platform/terraform" in stage.run("plan").out
    ran, modules = imported_by(stage, "apply", "--yes")
    assert ran.code == 0, ran
    assert "netbird_attic" in modules
    assert SECRET.fullmatch((stage.folder / "chest/platform/terraform").read_text("utf-8"))


@pytest.mark.usefixtures("attic")
def test_it_is_not_imported_unless_the_config_names_it(stage: Stage) -> None:
    stage.tokens_file("name: terraform")
    ran, modules = imported_by(stage, "doctor")
    assert f"✔ sink types: {', '.join(BUILT_IN)}; vendor.attic (netbird-attic 1.2); vendor" in ran.out
    assert "netbird_attic" not in modules


@pytest.mark.parametrize(
    ("sink", "told"),
    [
        ("{type: vendor.attic}", "an attic sink has one option, `box`"),
        ("{type: vendor.cellar}", "no installed package has the sink type vendor.cellar"),
        ("{type: vendor.cellar}", "vendor.attic"),
        ("{type: vendor.moved}", "the sink type vendor.moved of netbird-attic 1.2 cannot be loaded"),
        ("{type: vendor.dies}", "of netbird-attic 1.2 cannot be loaded: it raises ValueError"),
        ("{type: vendor.class}", "of netbird-attic 1.2 leads to the class Losing, not to a SinkType"),
        ("{type: vendor.newer}", "was written for version 2 of the contract; this is version 1"),
        ("{type: vendor.loses, at: keys}", "keys of the sink type vendor.loses failed with an unexpec"),
        ("{type: vendor.loses, at: build}", "build of the sink type vendor.loses failed with an unexpec"),
        ("{type: vendor.loses, at: store}", "store of the sink type vendor.loses failed with an unexpec"),
        ("{type: attic}", f"must be one of {', '.join(BUILT_IN)}, not \"attic\""),
        ("{type: Vendor.attic}", f"must be one of {', '.join(BUILT_IN)}, not \"Vendor.attic\""),
    ],
)
@pytest.mark.usefixtures("attic")
def test_what_is_wrong_with_a_type_is_told(stage: Stage, sink: str, told: str) -> None:
    stage.config(f"sinks: {{attic: {sink}}}\n")
    stage.tokens_file(ENTRY)
    ran = stage.run("plan")
    assert ran.code == 3
    assert told in ran.err


@pytest.mark.parametrize(
    ("at", "code", "live"),
    [("inventory", 1, 0), ("preflight", 8, 0), ("register", 9, 0), ("put", 9, 1), ("read", 9, 1)],
)
@pytest.mark.usefixtures("attic")
def test_what_a_type_raises_beyond_its_contract_ends_no_command(
    stage: Stage, at: str, code: int, live: int
) -> None:
    """It becomes the answer that promises least, and its text, which may hold a secret, is not told."""
    stage.config(f"sinks: {{attic: {{type: vendor.loses, at: {at}}}}}\n")
    stage.tokens_file(ENTRY)
    ran = stage.run("apply", "--yes")
    assert ran.code == code, ran
    said = " ".join((ran.out + ran.err).split())
    assert f"{at} of the sink type vendor.loses failed with an unexpected ConnectionError" in said
    assert "lost while sending" not in said
    assert len(stage.live()) == live


def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def hint() -> str:
        with pytest.raises(UsageError) as caught:
            needed("no_such_package.of_ours", "aws")
        assert caught.value.message == "the package no_such_package is not installed"
        return caught.value.hint

    monkeypatch.setattr(sys, "executable", "/opt/our tools/bin/python")
    assert hint() == "'/opt/our tools/bin/python' -m pip install 'netbird-token-reconciler[aws]'"
    (tmp_path / "pipx_metadata.json").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert hint() == f"pipx inject {tmp_path.name} 'boto3>=1.34'"


SDKS = {"boto3", "botocore", "nacl", "pyrage", "kubernetes", "hvac"}


@pytest.mark.parametrize("argv", [["version"], ["validate"], ["plan"]], ids=lambda argv: argv[0])
def test_what_is_imported_does_not_grow_with_the_types(stage: Stage, argv: list[str]) -> None:
    """With the file sink: no module of another type, no package that only such a type needs."""
    stage.tokens_file("name: terraform")
    ran, modules = imported_by(stage, *argv)
    assert ran.code == 0, ran
    others = [module for name, module in BUILT_IN.items() if name != "file"]
    mine = {each for each in modules if each.startswith(tuple(others))}
    assert mine | (SDKS & modules) == set()
    if argv == ["version"]:
        assert not any(each.startswith("reconciler.sinks") for each in modules)


TWICE = [
    ("{type: file, path: secrets}", "{type: file, path: ./x/../secrets}"),
    ("{type: file, path: secrets}", "{type: file, path: secrets/platform}"),
    ("{type: file, path: a.env, format: dotenv}", "{type: file, path: a.env, format: json}"),
    ("{type: vault, address: 'https://v.example'}", "{type: vault, address: 'https://v.example/'}"),
    ("{type: vault, path: a/b}", "{type: vault, path: a}"),
    ("{type: github, repository: acme/infra}", "{type: github, repository: ACME/infra, token_env: X}"),
    ("{type: gitlab, project: acme/infra}", "{type: gitlab, project: acme/infra, hidden: true}"),
    ("{type: vendor.attic, box: chest}", "{box: chest, type: vendor.attic}"),
]
APART = [
    ("{type: file, path: secrets}", "{type: file, path: secret}"),
    ("{type: file, path: secrets}", "{type: file, path: secrets/.env, format: dotenv}"),
    ("{type: vault, path: a/b}", "{type: vault, path: a/bc}"),
    ("{type: vault, namespace: one}", "{type: vault, namespace: two}"),
    ("{type: github, repository: a/b}", "{type: github, repository: a/b, environment: production}"),
    ("{type: github, organization: acme}", "{type: github, repository: acme/acme}"),
    ("{type: gitlab, project: a/b}", "{type: gitlab, project: a/b, environment_scope: production}"),
    ("{type: gitlab, project: acme}", "{type: gitlab, group: acme}"),
    ("{type: vendor.attic, box: chest}", "{type: vendor.attic, box: drawer}"),
]


@pytest.mark.usefixtures("attic")
@pytest.mark.parametrize(("one", "two"), TWICE)
def test_two_sinks_that_lead_to_one_store_are_refused(stage: Stage, one: str, two: str) -> None:
    stage.config(f"sinks:\n  local: {one}\n  again: {two}\n")
    stage.tokens_file("name: terraform")
    ran = stage.run("validate")
    assert ran.code == 3
    assert 'NB114 the sink "again" leads to the store of the sink "local", at .netbird' in ran.err


RAW = "{type: file, path: secrets}"
AGE = f"{{type: age, path: ./secrets, recipients: [{SOMEBODY}]}}"
ENV = "{type: file, path: secrets/app.env, format: dotenv}"


@pytest.mark.parametrize(
    ("one", "key", "two", "other", "told"),
    [
        (RAW, "x/y.age", AGE, "x/y", 'NB202 "again:x/y" is already the place of "one"'),
        (RAW, "x", AGE, "x/y", 'NB213 "again:x/y" lies below "local:x", the place of "one"'),
        (RAW, "app.env", ENV, "Y", 'NB213 "again:Y" lies below "local:app.env", the place of "one"'),
        ("{type: file, path: HERE/secrets}", "x", AGE, "x/y", 'NB213 "again:x/y" lies below "local:x"'),
        (RAW, "y", AGE, "y", ""),
        (RAW, "app", ENV, "APP", ""),
        (AGE, "app", ENV, "APP", ""),
    ],
)
def test_two_sinks_may_share_a_folder_but_no_file(
    stage: Stage, one: str, key: str, two: str, other: str, told: str
) -> None:
    one = one.replace("HERE", str(stage.folder))
    stage.config(f"sinks:\n  local: {one}\n  again: {two}\n")
    first, second = f"{{sink: local, key: {key}}}", f"{{sink: again, key: {other}}}"
    stage.tokens_file(f"{{name: one, sinks: [{first}]}}", f"{{name: two, sinks: [{second}]}}")
    ran = stage.run("validate")
    assert ran.code == (3 if told else 0), ran
    assert told in ran.err


@pytest.mark.parametrize(
    ("sink", "key", "told"),
    [
        (RAW, f"x/{'y' * 201}", "at most 200 characters in each part"),
        (AGE, "x" * 201, "at most 200 characters in each part"),
        ("{type: aws-ssm, path: a/b}", "x" + "/x" * 13, "at most 13 parts"),
    ],
)
def test_a_key_that_is_too_long_for_its_store_is_told_offline(
    stage: Stage, sink: str, key: str, told: str
) -> None:
    stage.config(f"sinks: {{far: {sink}}}\n")
    stage.tokens_file(f"{{name: one, sinks: [{{sink: far, key: {key}}}]}}")
    ran = stage.run("validate")
    assert ran.code == 3, ran
    assert "NB204" in ran.err
    assert told in ran.err
    stage.tokens_file(f"{{name: one, sinks: [{{sink: far, key: {key[:-1].removesuffix('/')}}}]}}")
    assert stage.run("validate").code == 0


@pytest.mark.parametrize(
    ("sink", "longest"),
    [
        ("{type: gitlab, project: a/b}", 255),
        (f"{{type: aws-secretsmanager, path: {'a' * 200}}}", 311),
    ],
)
def test_a_name_that_makes_too_long_a_key_is_told_offline(
    stage: Stage, sink: str, longest: int
) -> None:
    stage.config(f"sinks: {{far: {sink}}}\n")
    head = HEAD.replace("platform", "p" * 63)
    for more, code in ((1, 3), (0, 0)):
        stage.tokens_file(f"{{name: {'x' * (longest - 64 + more)}, sinks: [far]}}", head=head)
        ran = stage.run("validate")
        assert ran.code == code, ran
        assert (f"write {{sink: far, key: …}}: at most {longest} characters" in ran.err) is bool(more)


@pytest.mark.usefixtures("attic")
@pytest.mark.parametrize(("one", "two"), APART)
def test_two_stores_side_by_side_are_no_problem(stage: Stage, one: str, two: str) -> None:
    stage.config(f"sinks:\n  local: {one}\n  again: {two}\n")
    stage.tokens_file("name: terraform")
    ran = stage.run("validate")
    assert ran.code == 0, ran
