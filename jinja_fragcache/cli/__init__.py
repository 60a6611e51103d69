"""The command line: `jinja-fragcache check` and `jinja-fragcache list`."""

import sys

from jinja_fragcache.messages import needs

_NEEDED = {"click", "rich"}


def main() -> None:
    """Run the command line. What it needs may not be installed."""
    try:
        from .commands import commands  # noqa: PLC0415 - the point of this function
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _NEEDED:
            raise
        sys.stderr.write(needs("jinja-fragcache", missing, "cli") + "\n")
        sys.exit(2)
    commands(prog_name="jinja-fragcache")
