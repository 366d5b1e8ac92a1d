"""What we ship works where nothing of this checkout is: the wheel, in a clean virtual environment."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*argv: object, cwd: Path) -> str:
    done = subprocess.run(
        list(map(str, argv)), cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_runs_in_a_clean_environment(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "reconciler/schemas/tokenset.v1.schema.json" in names
    assert not [name for name in names if name.startswith("tests/")]
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    constraints = ROOT / ".ci" / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "-c", constraints, wheel, cwd=tmp_path)
    command = tmp_path / "venv" / "bin" / "netbird-tokens"
    assert run(command, "version", cwd=tmp_path).startswith("netbird-tokens ")
    assert "tokenset" in run(command, "schema", "tokenset", cwd=tmp_path)
    assert "retired" in run(command, "demo", "--fast", cwd=tmp_path)
