"""`flask cache`, which Flask finds by the entry point `flask.commands`.

Flask imports this module whenever `flask` is run, with any command. So it imports
nothing but click and Flask, which are imported already.
"""

from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

_NEEDED = "rich"


class CacheCommands(click.Group):
    """The commands of `jinja-fragcache`, on the application that Flask has found."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return self._originals().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command without its options for the application."""
        original = self._originals().get_command(ctx, cmd_name)
        return None if original is None else _on_current_app(original)

    @staticmethod
    def _originals() -> click.Group:
        try:
            from .commands import commands  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != _NEEDED:
                raise
            from jinja_fragcache.messages import needs  # noqa: PLC0415 - see above

            raise click.UsageError(needs("flask cache", _NEEDED, "cli")) from error
        return commands


def _on_current_app(original: click.Command) -> click.Command:
    from .options import TARGETS  # noqa: PLC0415 - see above

    callback: Any = original.callback
    targets = {each.name for each in original.params} & set(TARGETS)

    @with_appcontext
    def run(**options: Any) -> Any:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        given = {"app": app, "env": None}
        meant = {name: given[name] for name in targets}
        return callback(**options, **meant)

    return click.Command(
        original.name,
        callback=run if targets else callback,
        params=[each for each in original.params if each.name not in targets],
        help=original.help,
    )


group = CacheCommands(
    "cache", help="Look after cached fragments: list, show, delete and warm them."
)
