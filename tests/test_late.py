import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path

import pytest

import jinja_fragcache
from jinja_fragcache.late import LateModule
from tests.support import in_threads

ROOT = Path(jinja_fragcache.__file__).parent
NAME = "imported_late"


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LateModule]:
    (tmp_path / f"{NAME}.py").write_text("value = object()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield LateModule(NAME)
    sys.modules.pop(NAME, None)


def test_the_first_read_imports(late: LateModule) -> None:
    assert NAME not in sys.modules
    value = late.value
    assert value is import_module(NAME).value


def test_what_was_read_is_kept(late: LateModule) -> None:
    value = late.value
    del import_module(NAME).value
    assert late.value is value


def test_what_the_module_lacks_is_an_attribute_error(late: LateModule) -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = late.nothing


def test_names_that_tools_look_for_do_not_import(late: LateModule) -> None:
    assert not hasattr(late, "__wrapped__")
    assert NAME not in sys.modules


def test_threads_that_read_first_at_the_same_time_get_the_same(
    late: LateModule,
) -> None:
    values: list[object] = []
    in_threads(4, lambda _: values.append(late.value))
    assert values == [import_module(NAME).value] * 4


def late_modules(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the modules that type checkers read, and those that run, of one file."""
    package = ".".join(path.relative_to(ROOT.parent).parent.parts)
    for block in ast.parse(path.read_text("utf-8")).body:
        if not (isinstance(block, ast.If) and block.orelse):
            continue
        types = {
            each.asname or each.name: f"{_package(node, package)}.{each.name}"
            for node in block.body
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }
        for node in block.orelse:
            assert isinstance(node, ast.Assign)
            (name,), call = node.targets, node.value
            assert isinstance(name, ast.Name)
            assert isinstance(call, ast.Call)
            first = call.args[0]
            assert isinstance(first, ast.Constant)
            assert isinstance(first.value, str)
            yield types[name.id], resolve_name(first.value, package)


def _package(node: ast.ImportFrom, package: str) -> str:
    return resolve_name("." * node.level + (node.module or ""), package)


def test_each_is_the_module_that_type_checkers_read() -> None:
    found = [
        each
        for path in ROOT.rglob("*.py")
        if "= LateModule(" in path.read_text("utf-8") and path.name != "late.py"
        for each in late_modules(path)
    ]
    assert len(found) > 5
    for types, runs in found:
        assert runs == types
        import_module(runs)
