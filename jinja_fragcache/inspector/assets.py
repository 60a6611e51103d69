"""The style sheets and scripts, which are files of this package."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

_FOLDER = files("jinja_fragcache.inspector") / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


class Asset(NamedTuple):
    """A file.

    Attributes:
        kind: Its content type.
        body: What is in it.
    """

    kind: str
    body: bytes


def asset(name: str) -> Asset | None:
    """Return a file, None if there is none of that name."""
    return _assets().get(name)


@cache
def _assets() -> dict[str, Asset]:
    # All of them, so that no name that is asked for is ever looked up in a folder.
    found = {}
    for each in _FOLDER.iterdir():
        kind = _KINDS.get(f".{each.name.rpartition('.')[2]}")
        if kind is not None:
            found[each.name] = Asset(kind, each.read_bytes())
    return found
