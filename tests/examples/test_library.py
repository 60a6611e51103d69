import argparse
import array
import functools
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import library
import pytest
from library import (
    Kind,
    Library,
    Member,
    Module,
    Place,
    Submodule,
    import_quietly,
    load_library,
    module_names,
    read_documentation,
    read_file_lines,
    read_line_count,
    read_public_names,
    read_signature,
    read_value,
    summary,
)


def make_module(folder: Path, source: str) -> ModuleType:
    (folder / "made_for_test.py").write_text(source, encoding="utf-8")
    module = import_quietly("made_for_test")
    assert module is not None
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_modules_are_the_public_ones_of_this_python() -> None:
    names = module_names()
    assert (
        {"argparse", "asyncio", "sys", "typing"}
        <= set(names)
        <= set(sys.stdlib_module_names)
    )
    assert not [name for name in names if name.startswith("_")]
    assert not library.LEFT_OUT.keys() & set(names)


def test_the_library_has_the_modules_that_can_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = frozenset({"abc", "cmd", "_abc", "this", "made_for_test_missing"})
    monkeypatch.setattr(sys, "stdlib_module_names", names)
    loaded = load_library()
    assert [module.name for module in loaded] == ["abc", "cmd"]
    assert len(loaded) == 2
    assert loaded.get("cmd") is loaded.by_name["cmd"]
    assert loaded.get("this") is None


@pytest.mark.parametrize(
    "source", ["raise RuntimeError", "import sys; sys.exit(1)", "import made_for_tesd"]
)
def test_a_module_that_can_not_be_imported_is_none(folder: Path, source: str) -> None:
    (folder / "made_for_test.py").write_text(source, encoding="utf-8")
    assert import_quietly("made_for_test") is None


def test_importing_shows_no_warning_and_no_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_module(
        folder,
        "import sys, warnings\n"
        "warnings.warn('going', DeprecationWarning)\n"
        "print('out')\n"
        "print('err', file=sys.stderr)\n",
    )
    assert capsys.readouterr() == ("", "")


def test_public_names_are_those_in_dunder_all(folder: Path) -> None:
    module = make_module(
        folder,
        "import os\n__all__ = ['_chosen', 'os', 'missing']\n_chosen = 1\nother = 2\n",
    )
    assert read_public_names(module) == {"_chosen": 1}


def test_without_dunder_all_only_the_module_s_own_names_are_public(
    folder: Path,
) -> None:
    module = make_module(
        folder,
        "import os\n"
        "from argparse import Action\n"
        "value = 1\n"
        "_hidden = 2\n"
        "def own(): pass\n"
        "def accelerated(): pass\n"
        "accelerated.__module__ = '_made_for_test'\n"
        "strange = Action('', '')\n"
        "strange.__module__ = 3\n",
    )
    names = read_public_names(module)
    assert list(names) == ["value", "own", "accelerated", "strange"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (argparse.Action, Kind.CLASS),
        (argparse.ArgumentError, Kind.EXCEPTION),
        (len, Kind.FUNCTION),
        (functools.lru_cache(len), Kind.FUNCTION),
        (argparse.REMAINDER, Kind.VALUE),
    ],
)
def test_a_member_is_a_class_an_exception_a_function_or_a_value(
    content: Any, kind: Kind
) -> None:
    assert Member("name", content).kind is kind


def test_a_function_has_a_signature_a_docstring_and_a_line_count() -> None:
    member = Member("example", make_adder)
    assert member.signature() == "(first: int, second: int = 2) -> int"
    assert member.documentation() == "Add.\n\nTwo numbers."
    assert member.line_count() == 6
    assert member.methods() == []


def make_adder(first: int, second: int = 2) -> int:
    """Add.

    Two numbers.
    """
    return first + second


def test_a_value_is_shown_without_docstring_and_line_count() -> None:
    member = Member("VALUE", 3)
    assert member.signature() == " = 3"
    assert member.documentation() == ""
    assert member.line_count() is None


class Shape:
    """A form."""

    def area(self, scale: float) -> float:
        """Return the area."""
        return scale

    @property
    def size(self) -> int:
        """How large."""
        return 1

    @staticmethod
    def make(corners: int) -> None:
        pass

    @classmethod
    def parse(cls, text: str) -> None:
        pass

    def _hidden(self) -> None:
        pass

    corners = 4


def test_a_class_lists_its_public_methods_and_properties() -> None:
    methods = Member("Shape", Shape).methods()
    assert [
        (each.name, each.signature(), each.documentation()) for each in methods
    ] == [
        ("area", "(self, scale: float) -> float", "Return the area."),
        ("make", "(corners: int) -> None", ""),
        ("parse", "(cls, text: str) -> None", ""),
        ("size", "", "How large."),
    ]


def test_a_signature_contains_no_address() -> None:
    def function(default: object = object()) -> None:
        pass

    assert read_signature(function) == "(default: object = <object object>) -> None"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


def unprintable_default(default: Unprintable = Unprintable()) -> None:  # noqa: B008 - the point
    pass


@pytest.mark.parametrize("function", [unprintable_default, 3])
def test_a_signature_that_can_not_be_read_is_shown_as_dots(function: object) -> None:
    assert read_signature(function) == "(...)"


@pytest.mark.parametrize("content", [len, int, 3])
def test_an_object_without_source_has_no_line_count(content: object) -> None:
    assert read_line_count(content) is None


def test_the_docstring_of_the_class_is_not_that_of_the_object() -> None:
    class Strange:
        __doc__ = 3  # type: ignore[assignment]

    assert read_documentation(Shape()) == ""
    assert read_documentation(Strange) == ""
    assert read_documentation(Shape) == "A form."


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (3, "3"),
        (None, "None"),
        ("<b>", "'<b>'"),
        (b"x", "b'x'"),
        (signal.SIGINT, repr(signal.SIGINT)),
        ({"PASSWORD": "secret"}, "a dict"),
    ],
)
def test_plain_values_are_shown_and_others_by_their_type(
    content: object, text: str
) -> None:
    assert read_value(content) == text


def test_a_long_value_is_shortened() -> None:
    assert len(read_value("x" * 1000)) <= 60


@pytest.mark.parametrize(
    ("documentation", "line"),
    [
        ("", ""),
        ("\n  One line.\n", "One line."),
        ("Two\nlines.\n\nMore.", "Two lines."),
        ("Title\n=====\n\nMore.", "Title"),
    ],
)
def test_a_summary_is_the_first_paragraph_on_one_line(
    documentation: str, line: str
) -> None:
    assert summary(documentation) == line


def test_a_long_summary_is_shortened() -> None:
    text = summary("word " * 100)
    assert len(text) <= library.LONGEST_SUMMARY
    assert text.endswith("word ...")


def test_a_module_of_one_file_has_a_docstring_lines_and_members(folder: Path) -> None:
    content = make_module(folder, '"""About."""\n\nvalue = 1\nanother = 2\n')
    module = Module("made_for_test", content)
    assert module.letter == "M"
    assert not module.is_package
    assert module.documentation() == "About."
    assert module.line_count() == 4
    assert [member.name for member in module.members()] == ["another", "value"]
    assert module.submodules() == []


@pytest.mark.parametrize("content", [sys, array])
def test_a_module_in_c_has_no_line_count(content: ModuleType) -> None:
    module = Module(content.__name__, ModuleType(content.__name__))
    module.content.__file__ = "array.so" if content is array else None
    assert module.line_count() is None


@pytest.fixture
def package(folder: Path) -> Module:
    files = {
        "__init__.py": '"""A package."""\n',
        "plain.py": '"""Plain."""\n\nvalue = 1\n',
        "_hidden.py": "",
        "inner/__init__.py": "\n",
        "compiled.so": "",
        "tests/__init__.py": "\n\n\n\n\n\n\n\n",
    }
    for name, source in files.items():
        file = folder / "made_for_test_package" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    content = import_quietly("made_for_test_package")
    assert content is not None
    return Module("made_for_test_package", content)


def test_a_package_counts_the_lines_of_all_its_files_except_tests(
    package: Module,
) -> None:
    assert package.is_package
    assert package.line_count() == 1 + 3 + 1


def test_modules_of_a_package_are_read_and_not_imported(package: Module) -> None:
    submodules = package.submodules()
    assert [each.name for each in submodules] == [
        "made_for_test_package.inner",
        "made_for_test_package.plain",
    ]
    assert [each.documentation() for each in submodules] == ["", "Plain."]
    assert [each.line_count() for each in submodules] == [1, 3]
    assert "made_for_test_package.plain" not in sys.modules


def test_places_are_modules_submodules_members_and_methods(
    package: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package.content, "Shape", Shape, raising=False)
    monkeypatch.setattr(Shape, "__module__", package.name)
    places = list(Library({package.name: package}).places())
    assert [
        (place.name.removeprefix(package.name), place.member_name) for place in places
    ] == [
        ("", ""),
        (".inner", ""),
        (".plain", ""),
        (".Shape", "Shape"),
        (".Shape.area", "Shape"),
        (".Shape.make", "Shape"),
        (".Shape.parse", "Shape"),
        (".Shape.size", "Shape"),
    ]
    assert {place.module_name for place in places} == {package.name}
    assert [place.documentation() for place in places[:5]] == [
        "A package.",
        "",
        "Plain.",
        "A form.",
        "Return the area.",
    ]


SEARCHED = '''
"""Turns bread into toast."""

def toast(): "Makes it BROWN."
def untoast(): "Undoes that."
class Toaster:
    "Has two slots."
    def eject(self): "Throws what is brown."
'''


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (
            ["toast"],
            [".toast", ".Toaster", ".Toaster.eject", ".untoast", ""],
        ),
        (["made_for_test.toaster"], [".Toaster", ".Toaster.eject"]),
        (["eject"], [".Toaster.eject"]),
        (["brown"], [".toast", ".Toaster.eject"]),
        # One word in the name and one in the docstring.
        (["brown", "slots"], []),
        (["toaster", "brown"], [".Toaster.eject"]),
        (["into", "made"], [""]),
        (["made_for_test"], ["", ".toast", ".Toaster", ".Toaster.eject", ".untoast"]),
        (["nowhere"], []),
    ],
)
def test_a_search_finds_names_and_docstrings_with_all_words(
    folder: Path, words: list[str], names: list[str]
) -> None:
    module = Module("made_for_test", make_module(folder, SEARCHED))
    found = Library({module.name: module}).search(words)
    assert [place.name.removeprefix(module.name) for place in found] == names


def test_exact_names_come_first_then_exact_last_parts_of_names() -> None:
    order = ["string", "b.String", "x.string", "a.string.b", "a.substring", "a.a", "b"]
    places = [Place(name, "", "", Member(name, None)) for name in sorted(order)]
    nearest = sorted(places, key=lambda place: place.remoteness(["string"]))
    assert [place.name for place in nearest] == order


def test_a_docstring_is_read_only_if_a_word_is_not_in_the_name() -> None:
    class Unread:
        def documentation(self) -> str:
            raise AssertionError

    content: Any = Unread()
    place = Place("Bread.Toast", "Bread", "Toast", content)
    assert place.has(["toast", "bread"])
    with pytest.raises(AssertionError):
        place.has(["toast", "butter"])


def test_a_missing_file_has_no_docstring_and_no_line_count(tmp_path: Path) -> None:
    submodule = Submodule("gone", tmp_path / "gone.py")
    assert submodule.documentation() == ""
    assert submodule.line_count() is None
    (tmp_path / "here.py").write_text("1\n", encoding="utf-8")
    assert read_file_lines([tmp_path / "gone.py", tmp_path / "here.py"]) == 1


def test_a_file_that_can_not_be_parsed_has_no_docstring(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text('"""Text."""\nprint "2"\n', encoding="utf-8")
    assert Submodule("bad", bad).documentation() == ""
    assert Submodule("bad", bad).line_count() == 2


def test_the_largest_modules_come_first_and_all_names_are_counted(folder: Path) -> None:
    sizes = {"made_for_test_s": 2, "made_for_test_l": 9, "made_for_test_m": 5}
    for name, lines in sizes.items():
        (folder / f"{name}.py").write_text("a = b = 1\n" * lines, encoding="utf-8")
    modules = []
    for name in sizes:
        content = import_quietly(name)
        assert content is not None
        modules.append(Module(name, content))
    small, large, middle = modules
    together = Library({module.name: module for module in modules})
    assert together.largest(2) == [(9, large), (5, middle)]
    assert together.name_count() == 6
    assert together.get(small.name) is small
