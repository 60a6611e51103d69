from pathlib import Path

import pytest
from jinja2 import Environment

from jinja_fragcache.check.outlines_kept import KeptOutlines
from jinja_fragcache.check.project import default_environment
from jinja_fragcache.reads.outline import Broken
from tests.check.support import outline_of

SOURCE = "{% cache 300, 'a', b %}{{ c.d }}{% endcache %}"
ENVIRONMENT = default_environment()


def keep(folder: Path, **outlines: str) -> None:
    kept = KeptOutlines(folder, ENVIRONMENT)
    for source in outlines.values():
        kept.add(source, outline_of(source))
    kept.save()


def test_an_outline_is_found_by_its_source(tmp_path: Path) -> None:
    keep(tmp_path, a=SOURCE)
    kept = KeptOutlines(tmp_path, ENVIRONMENT)
    assert kept.find(SOURCE) == outline_of(SOURCE)
    assert kept.find(SOURCE + " ") is None


def test_errors_are_kept_too(tmp_path: Path) -> None:
    kept = KeptOutlines(tmp_path, ENVIRONMENT)
    kept.add("x", Broken(1, "wrong"))
    kept.save()
    assert KeptOutlines(tmp_path, ENVIRONMENT).find("x") == Broken(1, "wrong")


def test_another_environment_finds_nothing(tmp_path: Path) -> None:
    keep(tmp_path, a=SOURCE)
    other = Environment(autoescape=True, variable_start_string="${")
    assert KeptOutlines(tmp_path, other).find(SOURCE) is None


def test_what_a_run_did_not_use_is_forgotten(tmp_path: Path) -> None:
    keep(tmp_path, a="a", b="b")
    kept = KeptOutlines(tmp_path, ENVIRONMENT)
    kept.find("a")
    kept.save()
    again = KeptOutlines(tmp_path, ENVIRONMENT)
    assert again.find("a")
    assert again.find("b") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "\ufffd", '{"x": 1}'])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str) -> None:
    keep(tmp_path, a=SOURCE)
    (tmp_path / "outlines.json").write_text(content, "utf-8")
    kept = KeptOutlines(tmp_path, ENVIRONMENT)
    assert kept.find(SOURCE) is None
    kept.add(SOURCE, outline_of(SOURCE))
    kept.save()
    assert KeptOutlines(tmp_path, ENVIRONMENT).find(SOURCE)


@pytest.mark.parametrize("plain", ['["Read"]', '["Nothing"]', "3", "[null, 3]", "[]"])
def test_a_damaged_outline_counts_as_none(tmp_path: Path, plain: str) -> None:
    keep(tmp_path, a=SOURCE)
    file = tmp_path / "outlines.json"
    digest = file.read_text("utf-8").split('"')[1]
    file.write_text(f'{{"{digest}": {plain}}}', "utf-8")
    assert KeptOutlines(tmp_path, ENVIRONMENT).find(SOURCE) is None


def test_a_folder_that_can_not_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    keep(tmp_path / "file", a=SOURCE)
    assert (tmp_path / "file").read_text("utf-8") == "x"


def test_the_folder_is_ignored_by_git(tmp_path: Path) -> None:
    keep(tmp_path / "kept", a=SOURCE)
    assert (tmp_path / "kept" / ".gitignore").read_text("utf-8") == "*\n"
