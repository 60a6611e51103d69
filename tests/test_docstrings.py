"""What docstrings, comments and the design page name is there."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import jinja_fragcache

PACKAGE = Path(jinja_fragcache.__file__).parent
# In docstrings, `flask` is Flask.
ROOMS = sorted({each.parent.name for each in PACKAGE.glob("*/__init__.py")} - {"flask"})
NAME = re.compile(rf"`(?:jinja_fragcache\.)?((?:{'|'.join(ROOMS)})\.(?!py`)[\w.]+)`")
SOURCES = [*PACKAGE.rglob("*.py"), PACKAGE.parent / "docs" / "design.md"]


def names() -> Iterator[tuple[str, str]]:
    """Yield each name that begins with a room of the package, and where it stands."""
    for source in SOURCES:
        for name in NAME.findall(source.read_text("utf-8")):
            yield name, str(source.relative_to(PACKAGE.parent))


def is_there(name: str) -> bool:
    """Return whether a name is one of a module, or of something in a module."""
    room, *parts = name.split(".")
    found = import_module(f"jinja_fragcache.{room}")
    for part in parts:
        if (PACKAGE / room / f"{part}.py").is_file():
            found = import_module(f"jinja_fragcache.{room}.{part}")
        elif not hasattr(found, part):
            return False
        else:
            found = getattr(found, part)
    return True


@pytest.mark.parametrize(("name", "source"), sorted(set(names())))
def test_a_dotted_name_leads_to_what_it_names(name: str, source: str) -> None:
    assert is_there(name), f"{source} names {name}"
