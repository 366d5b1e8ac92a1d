"""Makes each defect in a copy of the project, and looks whether the tests notice (`make defects`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from defects import DEFECTS, Defect

ROOT = Path(__file__).parents[2]
PARTS = ("reconciler", "schemas", "tests", "examples", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")
PATIENCE = 900


@contextmanager
def copy_of_the_project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="defect-") as folder:
        for part in PARTS:
            source, target = ROOT / part, Path(folder) / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        yield Path(folder)


def plant(defect: Defect, root: Path) -> None:
    file = root / "reconciler" / defect.file
    text = file.read_text("utf-8")
    if text.count(defect.before) != 1:
        raise SystemExit(f"{defect.file}: {defect.before!r} stands there {text.count(defect.before)} times")
    file.write_text(text.replace(defect.before, defect.after), "utf-8")


def is_caught(defect: Defect) -> bool:
    """Whether the named tests fail; also where the defect cannot even be imported."""
    with copy_of_the_project() as root:
        plant(defect, root)
        env = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
        where = "import reconciler, sys; sys.exit(not reconciler.__file__.startswith(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", where, str(root)], cwd=root, env=env, check=True)
        tests = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *defect.caught_by]
        done = subprocess.run(tests, cwd=root, env=env, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{defect.file}: pytest ended with {done.returncode}\n{done.stdout.decode()}")
        return done.returncode == 1


def main(only: list[str]) -> int:
    chosen = [d for d in DEFECTS if not only or any(word in d.file + d.harm for word in only)]
    with ThreadPoolExecutor(2) as pool:
        caught = list(pool.map(is_caught, chosen))
    for defect, found in zip(chosen, caught, strict=True):
        print(f"{'caught  ' if found else 'SURVIVED'} {defect.file:<22} {defect.harm}")
    print(f"{sum(caught)} of {len(chosen)} defects are caught")
    return 0 if all(caught) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
