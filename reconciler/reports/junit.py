"""A run as JUnit XML: what test reports of any CI system can show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from reconciler.core.drift import class_of
from reconciler.core.outcome import Status
from reconciler.reports import escape
from reconciler.reports.document import Plan
from reconciler.reports.ending import Report
from reconciler.reports.findings import findings, joined
from reconciler.reports.lines import EFFECTS, Labels, reason

_FAILURE: Final = "failure"
_ERROR: Final = "error"
_SKIPPED: Final = "skipped"
_KINDS: Final = {
    Status.FAILED.value: _FAILURE,
    Status.ROLLED_BACK.value: _FAILURE,
    Status.UNCERTAIN.value: _ERROR,
    Status.SKIPPED.value: _SKIPPED,
}


@dataclass(frozen=True, slots=True)
class _Case:
    """One test case; without a `kind` it passed."""

    of: str
    name: str
    kind: str = ""
    text: str = ""


def render(found: Report) -> str:
    """Each action or change and each guard is a case; what is wrong with files or the run fails one.

    Of `drift`, whatever is drift fails its case.
    """
    cases = [*_wrong(found), *_guards(found["plan"]), *_results(found)]
    if found["plan"] and not found["results"]:
        cases.extend(_changes(found["plan"], is_drift=found["command"] == "drift"))
    if not cases:
        cases.append(_Case("run", found["command"]))
    counts = {
        "tests": len(cases),
        "failures": sum(case.kind == _FAILURE for case in cases),
        "errors": sum(case.kind == _ERROR for case in cases),
        "skipped": sum(case.kind == _SKIPPED for case in cases),
    }
    figures = {key: str(count) for key, count in counts.items()}
    suites = ET.Element("testsuites", figures)
    plan = found["plan"]
    name = f"netbird-tokens {found['command']} {found.get('set', '')}".rstrip()
    more = {"timestamp": plan["as_of"].removesuffix("Z")} if plan else {}
    suite = ET.SubElement(suites, "testsuite", {"name": escape.xml(name), **figures, **more})
    for case in cases:
        _write(case, suite)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _write(case: _Case, suite: ET.Element) -> None:
    named = {"classname": f"netbird-tokens.{case.of}", "name": escape.xml(case.name)}
    element = ET.SubElement(suite, "testcase", named)
    if case.kind:
        told = ET.SubElement(element, case.kind, {"message": escape.xml(case.text)})
        if case.kind != _SKIPPED:
            told.set("type", case.of)
            told.text = escape.xml(case.text)


def _wrong(found: Report) -> Iterator[_Case]:
    """What belongs to no action and no guard."""
    for each in findings(found):
        if each.about in ("file", "run") and each.level == "error":
            place = f"{each.origin['file']}:{each.origin['line']}: " if each.origin else ""
            yield _Case(each.about, f"{place}{each.title}", _FAILURE, each.text)


def _guards(plan: Plan | None) -> Iterator[_Case]:
    for guard in plan["guards"] if plan else ():
        kind = _FAILURE if guard["result"] == "stop" else ""
        yield _Case("guard", guard["id"], kind, joined(guard["text"], guard["hint"]))


def _results(found: Report) -> Iterator[_Case]:
    labels = Labels(found["plan"])
    for result in found["results"]:
        name = labels.named(result["action"], result["name"], result["user"])
        text = "; ".join(filter(None, (result["status"], result["text"])))
        kind = _KINDS.get(result["status"], "")
        yield _Case(result["action"], name, kind, text)


def _changes(plan: Plan, *, is_drift: bool) -> Iterator[_Case]:
    labels = Labels(plan)
    for change in plan["changes"]:
        text = "; ".join(filter(None, reason(change)))
        differs = is_drift and class_of(change["reason"]["code"]) is not None
        failed = change["action"] == "blocked" or differs
        kind = _FAILURE if failed else _SKIPPED if change["action"] in EFFECTS else ""
        yield _Case(change["action"], labels.of(change), kind, text)
