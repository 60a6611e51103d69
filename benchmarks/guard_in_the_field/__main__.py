"""What does the guard find, and where does it cry wolf, in templates that others wrote?

`make field` downloads three applications with users, roles and languages: Flask-Admin,
flask-appbuilder and Flask-Security. Each statement that prints, at all depths, gets a
tag whose key has the page and what the view gave to the template, and nothing of the
request. Five visitors ask for all pages, twice (`walk`). Then

- a page that differs from the one without tags is a leak that the guard has missed. So
  is a hit whose text differs when it is rendered again,
- a place that the guard refused, and that showed all visitors of a page the same, may
  be a false alarm. It is counted by what was read there. What only one visitor saw, as
  what only admins see, can't be told.

It prints the table of `docs/guard.md`, and ends with an error if there is a leak.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.transparency.downloads import DownloadError, python_with
from benchmarks.transparency.running import WORK, CommandError, call

_REQUIREMENTS = [
    *("Flask-Admin==2.2.1", "flask-appbuilder==5.3.0", "Flask-Security-Too==5.9.2"),
    *("Flask-Babel==4.0.0", "Flask-SQLAlchemy==3.1.1", "Flask-WTF==1.3.0", "qrcode"),
    *(
        "cryptography",
        "nh3",
    ),  # of which Flask-Security needs some, as it is set up here
]
_NAMES = ("Flask-Admin", "flask-appbuilder", "Flask-Security")
_WAYS = ("plain", "record", "guard")
_HEAD = (
    *("application", "pages", "tags", "hits", "leaks", "places refused"),
    *("of these, seen by one visitor", "the same for all who saw it"),
)
# What differs in each run: tokens, the identifiers of users, and times.
_CHANGING = re.compile(
    r"I[mj][\w.-]{20,}|\d{14}##[0-9a-f]+|\b[0-9a-f]{32}\b|\d\d:\d\d:\d\d(\.\d+)?"
)


def main() -> int:
    """Walk through all applications, print the table, and return the exit status."""
    print(f"| {' | '.join(_HEAD)} |\n|---|{'---:|' * 6}---|")
    leaks = 0
    try:
        python = python_with(_REQUIREMENTS, "field")
        for name in _NAMES:
            seen = {way: _walk(python, name, way) for way in _WAYS}
            found = _leaks(seen)
            leaks += len(found)
            print(_row(name, seen, len(found)))
            print("\n".join(found), file=sys.stderr)
    except (DownloadError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if leaks else 0


def _walk(python: Path, name: str, way: str) -> Any:
    file = WORK / f"field-{name}-{way}.json"
    call([python, "-m", "benchmarks.guard_in_the_field.walk", name, way, file])
    return json.loads(file.read_text("utf-8"))


def _leaks(seen: dict[str, Any]) -> list[str]:
    """Return what a visitor was shown that was not his or hers."""
    with_guard, plain = seen["guard"], seen["plain"]["pages"]
    different = [
        page
        for page, text in with_guard["pages"].items()
        if _CHANGING.sub("", text) != _CHANGING.sub("", plain[page])
    ]
    return [*different, *["a hit"] * with_guard["differed"]]


def _row(name: str, seen: dict[str, Any], leaks: int) -> str:
    """Return the row of an application."""
    refused = _refused(seen["guard"]["lines"])
    compared = _compared(seen["record"]["texts"])
    same = [reads for place, reads in refused.items() if compared.get(place)]
    kinds = Counter(name for reads in same for name in reads)
    told = ", ".join(f"{number} `{kind}`" for kind, number in kinds.most_common())
    only_one = sum(place not in compared for place in refused)
    counts = (len(seen["plain"]["pages"]), seen["guard"]["tags"], seen["guard"]["hits"])
    cells = [name, *counts, leaks, len(refused), only_one, f"{len(same)}: {told}"]
    return f"| {' | '.join(map(str, cells))} |"


def _refused(lines: list[str]) -> dict[str, set[str]]:
    """Return what was read in the places that the guard refused."""
    found = {}
    for line in lines:
        told = re.match(r"(.*?), line (\d+): .*? reads (.*), which differ", line)
        if told:
            names = re.sub(r" \(.*?\)", "", told[3]).split(", ")
            found[f"{told[1]}:{told[2]}"] = set(names)
    return found


def _compared(texts: list[list[str]]) -> dict[str, bool]:
    """Return the places that several visitors saw, and whether they saw the same."""
    shown: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    visitors: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for site, page, visitor, text in texts:
        shown[site, page].add(text)
        visitors[site, page].add(visitor)
    found: dict[str, bool] = {}
    for each in shown:
        if len(visitors[each]) > 1:
            place = each[0].partition(" ")[0]
            found[place] = found.get(place, True) and len(shown[each]) == 1
    return found


if __name__ == "__main__":
    sys.exit(main())
