"""What each problem code means, in a paragraph: the text of `netbird-tokens explain CODE`.

Codes are published: never renumbered, never reused. NB1xx: any file. NB2xx: token files.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NB100": (
            "The file or folder could not be read: it does not exist, may not be read, is no regular "
            "file, was written to while it was read, or is a link that leads out of its folder. Links "
            "that leave the folder are refused because a pull request could use one to show another "
            "file of the machine in an error."
        ),
        "NB101": (
            "The file is not plain UTF-8 text, or holds a NUL byte or another character that cannot be "
            "seen: a control character, a line or paragraph separator, a mark that turns text around. "
            "Some of them end a line for YAML but not on a screen, which could hide an entry. Save the "
            "file as UTF-8; a byte order mark at its start and Windows line ends are fine."
        ),
        "NB102": (
            "The file is not valid YAML, so nothing after this place could be read. Most often a line "
            "is indented differently from its neighbours, a quote or bracket is not closed, or a text "
            "with `: ` or ` #` in it needs quotes."
        ),
        "NB103": (
            "One key stands twice in the same mapping. YAML readers silently take one of the two "
            "values; which one differs from reader to reader, so it is refused."
        ),
        "NB104": (
            "This key does not exist here. Most often it is misspelled or indented under the wrong "
            "parent. `netbird-tokens schema` prints every key there is."
        ),
        "NB105": "A key that must be there is missing.",
        "NB106": (
            "The value is of another kind than the field takes. Note the YAML here: only true and "
            "false are yes-or-no values, only plain decimal digits are numbers; `no`, `0777`, `1_000`, "
            "`12:30`, dates and everything in quotes are text."
        ),
        "NB107": "The value is of the right kind, but not one that the field takes.",
        "NB108": (
            "The file is larger or more deeply nested than any token file needs, or its aliases would "
            "multiply it. The limits keep a hostile file from exhausting the machine: 10 MB, 50 levels, "
            "1,000 aliases that repeat 100,000 values (a long text counts as several), 2,000,000 values, "
            "500,000 places of secrets. Split the set into several files of one folder, or into two sets."
        ),
        "NB109": (
            "The file uses a part of YAML that is not needed here and often surprises: tags, keys that "
            "are not text, an alias to itself or to nothing, or a merge of something that is no mapping."
        ),
        "NB110": "A tab stands where YAML wants spaces. Let your editor indent with spaces.",
        "NB111": (
            "There is nothing to read: the file or the folder holds no tokens. An empty set would mean "
            "that every token may go, so it is never taken for one."
        ),
        "NB112": (
            "More than one YAML document stands in the file. Put each into a file of its own; the files "
            "of one folder are read together."
        ),
        "NB113": "The file is of another kind than the one that is wanted here.",
        "NB114": (
            "Two sinks of the config lead to one store, or one lies within the other. Each would find the "
            "other's secrets, and remove those that no entry keeps in it. Use one sink for both, or give "
            "each a folder, file or path of its own."
        ),
        "NB120": (
            "A real NetBird token stands in the file, checksum and all. Whoever can read the file or "
            "its history can use it. Revoke the token now, then remove it; removing it alone is not "
            "enough. It is never printed."
        ),
        "NB201": (
            "Two entries have the same user and the same name, which is what identifies a token. "
            "Give one of them another name, or remove it."
        ),
        "NB202": (
            "Two secrets would be written to one place of a sink, and the second would overwrite the "
            "first. Give one of them a key of its own: {sink: NAME, key: KEY}."
        ),
        "NB203": "The config has no sink of this name. Sinks are defined under `sinks` in the config.",
        "NB204": (
            "The sink cannot take this key, or no key can be made from the name of the token. Each type "
            "of sink has its own rule; write the key yourself: {sink: NAME, key: KEY}."
        ),
        "NB205": (
            "The token would be due for renewal from its first moment on, and each run would replace it "
            "again. `renew_before` must be shorter than the lifetime."
        ),
        "NB206": (
            "Both `expires_in` and `expires_on` stand in one place. The first renews a token again and "
            "again, the second ends it for good, so only one can hold. A token's own value beats an "
            "inherited one of either kind."
        ),
        "NB207": "A `reason` is kept only for tokens that must not exist; add `state: absent` or remove it.",
        "NB208": (
            "A name under `previously` says: the token of this name is mine now. That cannot be the "
            "name of this or another entry of the same user, nor be claimed by two entries."
        ),
        "NB209": (
            "The files of one folder make one set: they have one name, and `unmanaged` and `guards` "
            "stand in one of them, or say the same in all."
        ),
        "NB210": "The calendar has no such day.",
        "NB211": "Two entries adopt the same live token; only one can have it.",
        "NB212": (
            "NetBird shows the name decorated as the config's `live_name` says, and that is longer than "
            "255 characters. Shorten one of them."
        ),
        "NB213": (
            "One key is a folder on the way to another: a sink that keeps each secret in a file of its "
            "own cannot have `a` and `a/b`, nor a token in the file in which another sink has many. Give "
            "one of them another key: {sink: NAME, key: KEY}."
        ),
        "NB250": (
            "The last day of the token is over. It will not be created or renewed; the rest of the file "
            "is carried out as usual. Remove the entry when you no longer need it."
        ),
        "NB251": (
            "The overlap is longer than a third of the lifetime and is cut to that, so that old and new "
            "tokens do not pile up."
        ),
        "NB252": (
            "A guard in a token file may only tighten the config's; this one is looser and has no "
            "effect. Raise the limit in the config instead."
        ),
        "NB253": (
            "A token is renewed by the first run after its window opens. If the window is shorter than "
            "two runs, one missed run lets the token expire. The time between two runs is `schedule: "
            "{every: 1d}` in the config; a day where it says nothing."
        ),
    },
)
