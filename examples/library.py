"""Reads the standard library of the running Python: its modules and their content.

Nothing that is read here is kept in memory. Each page reads everything again, which
makes it slow. The cache tags in the templates save this work.
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

#: Modules that are left out because they are not part of the library, and why.
LEFT_OUT = {
    "antigravity": "opens a web browser",
    "distutils": "setuptools replaces it with its own",
    "idlelib": "is an application",
    "lib2to3": "is deprecated, and mostly consists of test data",
    "pydoc_data": "contains the texts that pydoc shows",
    "test": "tests Python itself",
    "this": "prints a poem",
    "turtledemo": "is a collection of programs",
}
_TEST_FOLDERS = {"idle_test", "test", "tests"}
LONGEST_SUMMARY = 110
_WORD = re.compile(r"\w")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60


class Kind(enum.StrEnum):
    """The kind of a member. The value is the heading on the page."""

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
        """Return the parameters in parentheses, or an empty text for a property."""
        return "" if self.is_property else read_signature(self.function)

    def documentation(self) -> str:
        """Return the docstring, or an empty text."""
        return read_documentation(self.function)


@dataclass(frozen=True, slots=True)
class Member:
    """A public name of a module."""

    name: str
    content: Any

    @property
    def kind(self) -> Kind:
        """The kind of the member."""
        if inspect.isclass(self.content):
            is_exception = issubclass(self.content, BaseException)
            return Kind.EXCEPTION if is_exception else Kind.CLASS
        return Kind.FUNCTION if inspect.isroutine(self.content) else Kind.VALUE

    def signature(self) -> str:
        """Return the parameters in parentheses, or the value."""
        if self.kind is Kind.VALUE:
            return f" = {read_value(self.content)}"
        return read_signature(self.content)

    def documentation(self) -> str:
        """Return the docstring, or an empty text."""
        return read_documentation(self.content)

    def line_count(self) -> int | None:
        """Return the number of source lines, or None without Python source."""
        if self.kind is Kind.VALUE:
            return None
        return read_line_count(self.content)

    def methods(self) -> list[Method]:
        """Return the public methods and properties of a class, else an empty list."""
        if not inspect.isclass(self.content):
            return []
        return [
            Method(name, getattr(value, "__func__", value), isinstance(value, property))
            for name, value in sorted(vars(self.content).items())
            if not name.startswith("_") and _is_method(value)
        ]


@dataclass(frozen=True, slots=True)
class Submodule:
    """A module inside a package. It is read from its file and not imported."""

    name: str
    path: Path

    def documentation(self) -> str:
        """Return the docstring, or an empty text if the file can't be parsed."""
        try:
            parsed = ast.parse(self.path.read_bytes())
        except (OSError, SyntaxError):
            # One bad file must not break a search through all files.
            return ""
        return ast.get_docstring(parsed) or ""

    def line_count(self) -> int | None:
        """Return the number of lines of the file, or None if it can't be read."""
        return read_file_lines([self.path])


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the standard library, imported."""

    name: str
    content: ModuleType

    @property
    def letter(self) -> str:
        """The letter under which the module is listed."""
        return self.name[0].upper()

    @property
    def is_package(self) -> bool:
        """Whether the module is a package, with modules inside."""
        return hasattr(self.content, "__path__")

    def documentation(self) -> str:
        """Return the docstring, or an empty text."""
        return read_documentation(self.content)

    def line_count(self) -> int | None:
        """Return the number of lines of all files, or None without Python source."""
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
        """Return the public names: those in `__all__`, else its own without `_`."""
        members = read_public_names(self.content)
        return [Member(name, content) for name, content in sorted(members.items())]

    def submodules(self) -> list[Submodule]:
        """Return the public modules in a package that are written in Python."""
        return [
            Submodule(f"{self.name}.{name}", path)
            for name, path in read_submodules(self.content)
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """Something that a search can find, and where it is shown.

    Attributes:
        name: The full name, such as `json.JSONDecoder.decode`.
        module_name: The module on whose page it is shown.
        member_name: The member of that module that it is or belongs to, or an empty
            text.
        content: The module, member or method itself.
    """

    name: str
    module_name: str
    member_name: str
    content: "Module | Submodule | Member | Method"

    def documentation(self) -> str:
        """Return the docstring, or an empty text."""
        return self.content.documentation()

    def has(self, words: Collection[str]) -> bool:
        """Return whether every word is in the name or the docstring.

        Reading the docstring is slow, so it is read only if the name does not contain
        all words.

        Args:
            words: The words, in lower case.
        """
        name = self.name.casefold()
        missing = [word for word in words if word not in name]
        if not missing:
            return True
        text = self.documentation().casefold()
        return all(word in text for word in missing)

    def remoteness(self, words: Collection[str]) -> tuple[bool, bool, bool, str]:
        """Return a sort key that puts the best matches first: those by their names."""
        name = self.name.casefold()
        return (
            any(word not in name for word in words),
            name not in words,
            name.rpartition(".")[2] not in words,
            name,
        )


@dataclass(frozen=True, slots=True)
class Library:
    """All modules, sorted by name."""

    by_name: dict[str, Module]

    def __iter__(self) -> Iterator[Module]:
        """Iterate over the modules."""
        return iter(self.by_name.values())

    def __len__(self) -> int:
        """Return the number of modules."""
        return len(self.by_name)

    def get(self, name: str) -> Module | None:
        """Return the module with a name, or None."""
        return self.by_name.get(name)

    def largest(self, count: int) -> list[tuple[int, Module]]:
        """Return the modules with the most lines, each after its number of lines."""
        sized = ((module.line_count() or 0, module) for module in self)
        return heapq.nlargest(count, sized, key=lambda pair: pair[0])

    def name_count(self) -> int:
        """Return the number of public names in all modules together."""
        return sum(len(module.members()) for module in self)

    def places(self) -> Iterator[Place]:
        """Iterate over all modules, their submodules, members and methods."""
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
        """Return everything with all words in its name or docstring, best match first.

        Args:
            words: At least one word, in lower case (`str.casefold`).
        """
        found = [place for place in self.places() if place.has(words)]
        return sorted(found, key=lambda place: place.remoteness(words))


def load_library() -> Library:
    """Import all modules that can be imported on this machine."""
    imported = {name: import_quietly(name) for name in module_names()}
    return Library(
        {
            name: Module(name, content)
            for name, content in imported.items()
            if content is not None
        }
    )


def module_names() -> list[str]:
    """Return the names of the public modules of the standard library, sorted.

    Names that begin with an underscore are internal. Some modules belong to other
    platforms, and only importing them shows which.
    """
    return sorted(
        name
        for name in sys.stdlib_module_names
        if not name.startswith("_") and name not in LEFT_OUT
    )


def import_quietly(name: str) -> ModuleType | None:
    """Import a module without its warnings and output; return None if it fails."""
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
    """Return the first paragraph of a docstring on one line, shortened if long."""
    paragraph = documentation.strip().partition("\n\n")[0]
    # A line without letters only underlines a title.
    lines = [line for line in paragraph.splitlines() if _WORD.search(line)]
    return textwrap.shorten(" ".join(lines), LONGEST_SUMMARY, placeholder=" ...")


def read_public_names(module: ModuleType) -> dict[str, Any]:
    """Return a module's public names with their objects.

    They are read from the module's dictionary, because reading a deprecated name as an
    attribute of the module would warn.
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
    """Iterate over the names and files of a package's public modules."""
    for folder in map(Path, getattr(package, "__path__", ())):
        for found in pkgutil.iter_modules([str(folder)]):
            end = "/__init__.py" if found.ispkg else ".py"
            path = folder / f"{found.name}{end}"
            is_public = not found.name.startswith("_")
            if is_public and found.name not in _TEST_FOLDERS and path.is_file():
                yield found.name, path


def read_documentation(content: Any) -> str:
    """Return the docstring of an object, but not one inherited from its class."""
    own = getattr(content, "__doc__", None)
    if not isinstance(own, str) or own == type(content).__doc__:
        return ""
    return inspect.cleandoc(own)


def read_signature(function: Any) -> str:
    """Return the parameters of a function or class in parentheses."""
    try:
        text = str(inspect.signature(function))
    except Exception:  # noqa: BLE001 - a default value's repr may raise anything
        return "(...)"
    return _ADDRESS.sub("", text)


def read_line_count(content: Any) -> int | None:
    """Return the number of source lines of a function or class, or None."""
    try:
        return len(inspect.getsourcelines(content)[0])
    except Exception:  # noqa: BLE001 - inspect raises four kinds of error here
        return None


def read_file_lines(files: list[Path]) -> int | None:
    """Return the number of lines of all files, or None if none can be read."""
    counts = []
    for file in files:
        with contextlib.suppress(OSError):
            counts.append(file.read_bytes().count(b"\n"))
    return sum(counts) if counts else None


def read_value(content: Any) -> str:
    """Return the `repr()` of a plain value, or else the name of its type.

    A collection may contain secrets, as `os.environ` does, so it is not shown.
    """
    if isinstance(content, int | float | str | bytes | enum.Enum | None):
        return _ADDRESS.sub("", _SHORT.repr(content))
    return f"a {type(content).__name__}"


def _is_own(module_name: str, content: Any) -> bool:
    """Return whether an object is defined in the module or in its C accelerator."""
    origin = getattr(content, "__module__", None)
    if not isinstance(origin, str):
        return True
    return origin.partition(".")[0].lstrip("_") == module_name.partition(".")[0]


def _is_method(value: Any) -> bool:
    return isinstance(value, classmethod | staticmethod | property) or (
        inspect.isroutine(value)
    )
