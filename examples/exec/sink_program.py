"""The protocol `netbird-tokens.sink/v1` for programs in Python; copy it and write a store like those beside it.

A store has `capabilities` and one method for each op; `list` gives pairs of a ref and its record, of all that is there,
and the registrations. A method that returns has done it. Before the first change
raise `Refused`; let a command that changes something raise `Unsure`: it may have done it, whatever it says.
"""

import json
import subprocess
import sys

ABSENT = {"state": "absent"}
EXITS = {"not_found": 3, "conflict": 4, "denied": 5, "invalid": 6, "unsupported": 64, "unavailable": 69, "ambiguous": 75}


class Refused(Exception):
    """Nothing was changed."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Unsure(Refused):
    """It may have been changed."""

    def __init__(self, message):
        super().__init__("ambiguous", message)


def serve(make_store):
    """Answer the question on stdin with a store made from `params`, and exit."""
    question = json.load(sys.stdin)
    try:
        answer = answered(make_store(question["params"]), question)
    except Refused as error:
        answer = {"ok": False, "error": {"code": error.code, "message": str(error)}}
    print(json.dumps(answer))
    sys.exit(0 if answer["ok"] else EXITS[answer["error"]["code"]])


def answered(store, question):
    op = question["op"]
    if op == "capabilities":
        return {"ok": True, "capabilities": store.capabilities}
    if op == "list":
        found, registrations = store.list(question["refs"])
        return {"ok": True, "records": listed(question["refs"], found), "registrations": registrations}
    if op == "stat":
        return {"ok": True, **store.stat(question["ref"])}
    if op == "check":
        store.check(question["ref"])
    elif op in ("put", "amend"):
        value = question["secret"]["value"] if op == "put" else None
        store.put(question["ref"], question["meta"], value, question["expect"])
    elif op == "delete":
        store.delete(question["ref"], question["expect"])
    elif op == "register":
        store.register(question["set"], question["meta"])
    else:
        raise Refused("unsupported", f"no op {op}")
    return {"ok": True}


def present(version, meta, value):
    return {"state": "present", "version": version, "meta": meta, "value": value}


def listed(refs, found):
    """Of pairs of a ref and its record: all that have a `meta`, and every ref that was asked for, absent or not."""
    places = {ref: [] for ref in refs}
    for ref, record in found:
        places.setdefault(ref, []).append(record)
    return {
        ref: the_one(ref, records)
        for ref, records in places.items()
        if ref in refs or any(record.get("meta") is not None for record in records)
    }


def the_one(ref, records):
    if len(records) > 1:
        return {"state": "unread", "why": f"two items have the name {ref}: remove one"}
    return records[0] if records else ABSENT


def check_expected(found, expect):
    """A store that has no compare-and-set of its own looks first; that is as good as it gets."""
    if (found["state"], found.get("version", "")) != (expect["state"], expect.get("version", "")):
        raise Refused("conflict", "the place changed meanwhile")


def command(*argv, given="", changes=False):
    """What a command prints. A secret goes to it by `given`, never among its words."""
    error = Unsure if changes else lambda message: Refused("unavailable", message)
    try:
        done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False)
    except OSError as problem:
        raise Refused("unavailable", f"{argv[0]} cannot be run: {problem.strerror}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise error(f"{' '.join(argv[:3])}: {lines[-1]}")
    return done.stdout
