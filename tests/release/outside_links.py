"""Asks every address that the documentation links to: `make links`.

It needs a network, so it is no test. tests/test_docs.py checks the links between pages.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.release.repository import ROOT, tracked_files, urls

_SECONDS = 20
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r"\]\((https?://[^)\s]+)\)|<(https?://[^>\s]+)>")
# They refuse programs, or too many questions, and so tell nothing of the page.
_REFUSALS = {403, 429}


def main() -> None:
    """Print the addresses that lead nowhere, and the pages that have them.

    Raises:
        SystemExit: If there is one.
    """
    pages = [ROOT / path for path in sorted(tracked_files()) if path.endswith(".md")]
    found = addresses(pages)
    for url in urls().values():
        found[url].add("pyproject.toml")
    dead = 0
    for address, names in sorted(found.items()):
        problem = problem_of(address)
        if problem:
            dead += 1
            print(f"{address} ({', '.join(sorted(names))}): {problem}", file=sys.stderr)
    print(f"{len(found)} addresses, {dead} of them dead")
    if dead:
        raise SystemExit(1)


def addresses(pages: Iterable[Path]) -> defaultdict[str, set[str]]:
    """Return the addresses on pages without their anchors, each with its pages."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for page in pages:
        for link in _ADDRESS.finditer(_FENCE.sub("", page.read_text("utf-8"))):
            address = link[1] or link[2]
            found[address.partition("#")[0]].add(page.name)
    return found


def problem_of(address: str) -> str | None:
    """Return why an address can't be read, None if it can."""
    request = Request(address, headers={"User-Agent": "jinja-fragcache-links"})  # noqa: S310 - http and https alone are found
    try:
        with urlopen(request, timeout=_SECONDS):  # noqa: S310 - the same
            return None
    except HTTPError as error:
        return None if error.code in _REFUSALS else str(error)
    except (OSError, HTTPException) as error:
        return str(error)


if __name__ == "__main__":
    main()
