"""The group of all commands."""

import click

from .check_command import check_command
from .entry_commands import delete_command, key_command, show_command
from .list_command import list_command
from .store_commands import clear_command, invalidate_command, stats_command
from .warm_command import warm_command


@click.group()
def commands() -> None:
    """Look after cached fragments: check, list, show, delete and warm them."""


for _command in (
    check_command,
    clear_command,
    delete_command,
    invalidate_command,
    key_command,
    list_command,
    show_command,
    stats_command,
    warm_command,
):
    commands.add_command(_command)
