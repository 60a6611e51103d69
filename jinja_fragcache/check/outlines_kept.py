"""Keeps outlines in a folder, so that a second run need not parse again."""

import json
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2 import __version__ as jinja_version

from jinja_fragcache.reads.outline import Broken, Outline, from_plain, to_plain

#: The name of the folder.
FOLDER = ".fragcache_cache"
# Another number for each change to what outlines are, or to how they are made.
_VERSION = 5
_FILE = "outlines.json"


class KeptOutlines:
    """Outlines by the digests of their sources.

    Args:
        folder: The folder to keep them in.
        environment: The environment in which the templates are parsed.
    """

    def __init__(self, folder: Path, environment: Environment) -> None:
        self._folder = folder
        self._salt = _salt(environment)
        self._before = self._load()
        self._used: dict[str, Any] = {}
        self._is_changed = False

    def find(self, source: str) -> Outline | Broken | None:
        """Return the outline of a source, None if it is not kept."""
        digest = self._digest(source)
        plain = self._before.get(digest)
        try:
            found = from_plain(plain)
        except (LookupError, TypeError):
            return None
        if not isinstance(found, Outline | Broken):
            return None
        self._used[digest] = plain
        return found

    def add(self, source: str, outline: Outline | Broken) -> None:
        """Keep an outline."""
        self._used[self._digest(source)] = to_plain(outline)
        self._is_changed = True

    def save(self) -> None:
        """Write the outlines that this run used. If that fails, nothing is lost."""
        if not self._is_changed and len(self._used) == len(self._before):
            return
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / ".gitignore").write_text("*\n", "utf-8")
            written = self._folder / f"{_FILE}.new"
            text = json.dumps(self._used, separators=(",", ":"))
            written.write_text(text, "utf-8")
            written.replace(self._folder / _FILE)

    def _load(self) -> dict[str, Any]:
        try:
            kept = json.loads((self._folder / _FILE).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _digest(self, source: str) -> str:
        text = f"{self._salt}\n{source}"
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _salt(environment: Environment) -> str:
    """Return what else an outline depends on."""
    parts: Iterable[object] = (
        _VERSION,
        jinja_version,
        environment.block_start_string,
        environment.block_end_string,
        environment.variable_start_string,
        environment.variable_end_string,
        environment.comment_start_string,
        environment.comment_end_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
        sorted(environment.extensions),
        sorted(environment.filters),
    )
    return repr(parts)
