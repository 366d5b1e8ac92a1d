"""Every format that a run can be reported in, beside text, JSON and Markdown: one report, many readers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from reconciler.reports import github, gitlab, junit, prometheus
from reconciler.reports.ending import Report

Place = Callable[[str], str]
"""How a file is called from the root of the repository."""

FORMATS: Final[dict[str, Callable[[Report, Place, datetime], str]]] = {
    "github-output": lambda found, _place, _now: github.outputs(found),
    "gitlab": lambda found, _place, _now: gitlab.widget(found),
    "gitlab-codequality": lambda found, place, _now: gitlab.code_quality(found, place),
    "junit": lambda found, _place, _now: junit.render(found),
    "prometheus": lambda found, _place, now: prometheus.render(found, now),
}
"""Name to renderer; `now` is this machine's clock."""

APPENDED: Final = ("github-output",)
"""Formats that others write to, too."""
MERGED: Final = {"prometheus": prometheus.merged}
"""Formats whose file keeps what a run knows nothing of."""
MODES: Final = {"prometheus": 0o644}
"""Of files that another user reads: the collector does not run as we do."""
