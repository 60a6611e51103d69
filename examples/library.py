"""Reads the standard library of the Python that runs this: what its modules hold.

Nothing that is read here is kept. Reading anew each time is what makes a page costly,
and it is the cache tags in the templates that spare it.
"""

import ast
import contextlib
import enum
import heapq
import importlib
import inspect
import io
import pkgutil
import re
import reprlib
import sys
import textwrap
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

#: Modules that are no library, and why.
LEFT_OUT = {
    "antigravity": "opens a web browser",
    "distutils": "setuptools puts its own in its place",
    "idlelib": "is an application",
    "lib2to3": "is deprecated, and a package of test data for the most part",
    "pydoc_data": "holds the texts that pydoc shows",
    "test": "tests Python itself",
    "this": "prints a poem",
    "turtledemo": "is a set of programs",
}
_TEST_FOLDERS = {"idle_test", "test", "tests"}
LONGEST_SUMMARY = 110
_WORD = re.compile(r"\w")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60


class Kind(enum.StrEnum):
    """What a member is, as its heading on a page."""

    CLASS = "Classes"
    EXCEPTION = "Exceptions"
    FUNCTION = "Functions"
    VALUE = "Values"


@dataclass(frozen=True, slots=True)
class Method:
    """A method or property that a class defines itself."""

    name: str
    function: Any
    is_property: bool

    def signature(self) -> str:
        """Give its parameters in parentheses, nothing for a property."""
        return "" if self.is_property else read_signature(self.function)

    def documentation(self) -> str:
        """Give its docstring."""
        return read_documentation(self.function)


@dataclass(frozen=True, slots=True)
class Member:
    """A public name of a module."""

    name: str
    content: Any

    @property
    def kind(self) -> Kind:
        """What it is."""
        if inspect.isclass(self.content):
            is_exception = issubclass(self.content, BaseException)
            return Kind.EXCEPTION if is_exception else Kind.CLASS
        return Kind.FUNCTION if inspect.isroutine(self.content) else Kind.VALUE

    def signature(self) -> str:
        """Give its parameters in parentheses, or the value that it has."""
        if self.kind is Kind.VALUE:
            return f" = {read_value(self.content)}"
        return read_signature(self.content)

    def documentation(self) -> str:
        """Give its docstring."""
        return read_documentation(self.content)

    def line_count(self) -> int | None:
        """Count the lines of its source, None if it has none in Python."""
        if self.kind is Kind.VALUE:
            return None
        return read_line_count(self.content)

    def methods(self) -> list[Method]:
        """Give the public methods and properties, none for all but classes."""
        if not inspect.isclass(self.content):
            return []
        return [
            Method(name, getattr(value, "__func__", value), isinstance(value, property))
            for name, value in sorted(vars(self.content).items())
            if not name.startswith("_") and _is_method(value)
        ]


@dataclass(frozen=True, slots=True)
class Submodule:
    """A module inside of a package. It is read from its file and not imported."""

    name: str
    path: Path

    def documentation(self) -> str:
        """Give its docstring."""
        try:
            parsed = ast.parse(self.path.read_bytes())
        except (OSError, SyntaxError):
            # One bad file may not spoil a search through all of them.
            return ""
        return ast.get_docstring(parsed) or ""

    def line_count(self) -> int | None:
        """Count the lines of its file."""
        return read_file_lines([self.path])


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the standard library, imported."""

    name: str
    content: ModuleType

    @property
    def letter(self) -> str:
        """The letter that it stands under."""
        return self.name[0].upper()

    @property
    def is_package(self) -> bool:
        """Whether it has modules in it."""
        return hasattr(self.content, "__path__")

    def documentation(self) -> str:
        """Give its docstring."""
        return read_documentation(self.content)

    def line_count(self) -> int | None:
        """Count the lines of its files, None if none of them is in Python."""
        file = Path(getattr(self.content, "__file__", None) or "")
        if file.suffix != ".py":
            return None
        if not self.is_package:
            return read_file_lines([file])
        folder = file.parent
        return read_file_lines(
            [
                each
                for each in folder.rglob("*.py")
                if not _TEST_FOLDERS.intersection(each.relative_to(folder).parts)
            ]
        )

    def members(self) -> list[Member]:
        """Give what the module offers, as its `__all__` or else its names tell."""
        members = read_public_names(self.content)
        return [Member(name, content) for name, content in sorted(members.items())]

    def submodules(self) -> list[Submodule]:
        """Give the public modules in a package that are written in Python."""
        return [
            Submodule(f"{self.name}.{name}", path)
            for name, path in read_submodules(self.content)
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """What a search can find, and where it is shown.

    Attributes:
        name: its full name, as in `json.JSONDecoder.decode`.
        module_name: the module on whose page it stands.
        member_name: the member of that module which it is or belongs to, or nothing.
        content: what it is.
    """

    name: str
    module_name: str
    member_name: str
    content: "Module | Submodule | Member | Method"

    def documentation(self) -> str:
        """Give its docstring."""
        return self.content.documentation()

    def has(self, words: Collection[str]) -> bool:
        """Tell whether each of the words, in lower case, is in its name or docstring.

        The docstring is costly, so it is read only if the name alone does not do.
        """
        name = self.name.casefold()
        missing = [word for word in words if word not in name]
        if not missing:
            return True
        text = self.documentation().casefold()
        return all(word in text for word in missing)

    def remoteness(self, words: Collection[str]) -> tuple[bool, bool, bool, str]:
        """Give what sorts findings: those first whose names are what was asked for."""
        name = self.name.casefold()
        return (
            any(word not in name for word in words),
            name not in words,
            name.rpartition(".")[2] not in words,
            name,
        )


@dataclass(frozen=True, slots=True)
class Library:
    """All modules, in the order of their names."""

    by_name: dict[str, Module]

    def __iter__(self) -> Iterator[Module]:
        """Give the modules."""
        return iter(self.by_name.values())

    def __len__(self) -> int:
        """Count the modules."""
        return len(self.by_name)

    def get(self, name: str) -> Module | None:
        """Give the module of a name, or None."""
        return self.by_name.get(name)

    def largest(self, count: int) -> list[tuple[int, Module]]:
        """Give the modules with the most lines, and how many each has."""
        sized = ((module.line_count() or 0, module) for module in self)
        return heapq.nlargest(count, sized, key=lambda pair: pair[0])

    def name_count(self) -> int:
        """Count the public names of all modules together."""
        return sum(len(module.members()) for module in self)

    def places(self) -> Iterator[Place]:
        """Give all modules, and what is in them."""
        for module in self:
            name = module.name
            yield Place(name, name, "", module)
            for submodule in module.submodules():
                yield Place(submodule.name, name, "", submodule)
            for member in module.members():
                full_name = f"{name}.{member.name}"
                yield Place(full_name, name, member.name, member)
                for method in member.methods():
                    yield Place(f"{full_name}.{method.name}", name, member.name, method)

    def search(self, words: Collection[str]) -> list[Place]:
        """Give what has all words in its name or docstring, the nearest first.

        Args:
            words: in lower case (`str.casefold`), at least one.
        """
        found = [place for place in self.places() if place.has(words)]
        return sorted(found, key=lambda place: place.remoteness(words))


def load_library() -> Library:
    """Import the modules that can be imported here."""
    imported = {name: import_quietly(name) for name in module_names()}
    return Library(
        {
            name: Module(name, content)
            for name, content in imported.items()
            if content is not None
        }
    )


def module_names() -> list[str]:
    """Give the names of the modules that Python documents as its library's own.

    Those with an underscore are its inside. Some belong to other platforms, which only
    importing them tells.
    """
    return sorted(
        name
        for name in sys.stdlib_module_names
        if not name.startswith("_") and name not in LEFT_OUT
    )


def import_quietly(name: str) -> ModuleType | None:
    """Import a module whatever it warns of and prints, None if that fails."""
    aside = io.StringIO()
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(aside),
        contextlib.redirect_stderr(aside),
    ):
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: BLE001 - a module's code may raise anything
            return None


def summary(documentation: str) -> str:
    """Give the first paragraph of a docstring in one line, or its start."""
    paragraph = documentation.strip().partition("\n\n")[0]
    # What underlines a title is no text.
    lines = [line for line in paragraph.splitlines() if _WORD.search(line)]
    return textwrap.shorten(" ".join(lines), LONGEST_SUMMARY, placeholder=" ...")


def read_public_names(module: ModuleType) -> dict[str, Any]:
    """Give a module's public names with what they stand for.

    They are looked up in the module's dictionary, because asking the module itself for
    a deprecated name would warn.
    """
    names = dict(vars(module))
    listed = names.get("__all__")
    if listed is not None:
        chosen = {name: names[name] for name in listed if name in names}
    else:
        chosen = {
            name: content
            for name, content in names.items()
            if not name.startswith("_") and _is_own(module.__name__, content)
        }
    return {
        name: content
        for name, content in chosen.items()
        if not inspect.ismodule(content)
    }


def read_submodules(package: ModuleType) -> Iterator[tuple[str, Path]]:
    """Give names and files of a package's public modules."""
    for folder in map(Path, getattr(package, "__path__", ())):
        for found in pkgutil.iter_modules([str(folder)]):
            end = "/__init__.py" if found.ispkg else ".py"
            path = folder / f"{found.name}{end}"
            is_public = not found.name.startswith("_")
            if is_public and found.name not in _TEST_FOLDERS and path.is_file():
                yield found.name, path


def read_documentation(content: Any) -> str:
    """Give the docstring of an object, not the one that its class has."""
    own = getattr(content, "__doc__", None)
    if not isinstance(own, str) or own == type(content).__doc__:
        return ""
    return inspect.cleandoc(own)


def read_signature(function: Any) -> str:
    """Give the parameters of a function or class in parentheses."""
    try:
        text = str(inspect.signature(function))
    except Exception:  # noqa: BLE001 - a default value's repr may raise anything
        return "(...)"
    return _ADDRESS.sub("", text)


def read_line_count(content: Any) -> int | None:
    """Count the source lines of a function or class, None if it has none."""
    try:
        return len(inspect.getsourcelines(content)[0])
    except Exception:  # noqa: BLE001 - inspect raises four kinds of error here
        return None


def read_file_lines(files: list[Path]) -> int | None:
    """Count the lines of files, None if none of them can be read."""
    counts = []
    for file in files:
        with contextlib.suppress(OSError):
            counts.append(file.read_bytes().count(b"\n"))
    return sum(counts) if counts else None


def read_value(content: Any) -> str:
    """Give a plain value as Python writes it, the type of any other.

    A collection may hold what is nobody's business, as `os.environ` does.
    """
    if isinstance(content, int | float | str | bytes | enum.Enum | None):
        return _ADDRESS.sub("", _SHORT.repr(content))
    return f"a {type(content).__name__}"


def _is_own(module_name: str, content: Any) -> bool:
    """Tell whether an object is of the module, or of what it is written in C in."""
    origin = getattr(content, "__module__", None)
    if not isinstance(origin, str):
        return True
    return origin.partition(".")[0].lstrip("_") == module_name.partition(".")[0]


def _is_method(value: Any) -> bool:
    return isinstance(value, classmethod | staticmethod | property) or (
        inspect.isroutine(value)
    )
