"""The settings of the check: `[tool.jinja-fragcache]` in `pyproject.toml`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jinja_fragcache.errors import CheckError
from jinja_fragcache.messages import did_you_mean

from .rules import RULES

_TABLE = "jinja-fragcache"
_FILE = "pyproject.toml"
_ONE = {"app", "env"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings.

    Attributes:
        folder: The folder of the `pyproject.toml`, or the current one.
        paths: Folders and files, relative to that folder.
        app: A Flask application or factory, as `module:name`.
        env: A Jinja environment, as `module:name`.
        select: The rules to look for. Empty for all.
        ignore: The rules not to look for.
        exclude: Patterns of paths to leave out.
        names: More personal names, such as `g.tenant`.
        locale: More names that tell the locale.
        shared: More names of what is the same on all pages.
        covered: Names that need not stand in a key.
        extensions: Import names of more Jinja extensions.
    """

    folder: Path
    paths: tuple[str, ...] = ()
    app: str = ""
    env: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    locale: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


def load_settings(start: Path) -> Settings:
    """Return the settings for a folder, from the nearest `pyproject.toml`.

    Args:
        start: The folder. Those around it are looked at, too.

    Raises:
        CheckError: If the file can't be read, or a setting is wrong.
    """
    folders = [start, *start.parents]
    folder = next((each for each in folders if (each / _FILE).is_file()), None)
    if folder is None:
        return Settings(start)
    file = folder / _FILE
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckError(f"{file} can't be read: {error}") from error
    tools = tables.get("tool", {})
    if not isinstance(tools, dict):
        raise CheckError(f"{file}: [tool] is not a table.")
    for name in tools:
        if name != _TABLE and name.lower().replace("_", "-") == _TABLE:
            raise CheckError(
                f"{file}: [tool.{name}] is not read. Write [tool.{_TABLE}]."
            )
    table = tools.get(_TABLE, {})
    if not isinstance(table, dict):
        raise CheckError(f"{file}: [tool.{_TABLE}] is not a table.")
    return Settings(folder, **_checked(table, f"{file}, [tool.{_TABLE}]"))


def _checked(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = [each.name for each in fields(Settings) if each.name != "folder"]
    checked: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise CheckError(
                f"{where}: there is no setting {name!r}, there are {', '.join(known)}."
                f"{did_you_mean(name, known)}"
            )
        if name in _ONE:
            if not isinstance(value, str):
                raise CheckError(f'{where}: {name} is a text, such as "module:name".')
            checked[name] = value
        else:
            is_list = isinstance(value, list)
            if not is_list or not all(isinstance(each, str) for each in value):
                raise CheckError(
                    f'{where}: {name} is a list of texts, such as ["..."].'
                )
            checked[name] = tuple(value)
    for name in ("select", "ignore"):
        check_codes(checked.get(name, ()), f"{where}: {name}")
    return checked


def check_codes(codes: Iterable[str], where: str) -> None:
    """Refuse names of rules that there are not.

    Raises:
        CheckError: If there is one.
    """
    for code in codes:
        if code not in RULES:
            raise CheckError(
                f"{where} names the rule {code!r}, there are {', '.join(RULES)}."
                f"{did_you_mean(code.upper(), RULES)}"
            )


def active_rules(select: Iterable[str], ignore: Iterable[str]) -> frozenset[str]:
    """Return the rules to look for.

    Args:
        select: Those that were selected, none for all.
        ignore: Those to leave out.
    """
    return frozenset([*select] or RULES) - frozenset(ignore)
