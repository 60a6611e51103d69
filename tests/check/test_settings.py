from pathlib import Path

import pytest

from jinja_fragcache.check.rules import RULES
from jinja_fragcache.check.settings import (
    Settings,
    active_rules,
    check_codes,
    load_settings,
)
from jinja_fragcache.errors import CheckError


def load(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return load_settings(folder)


def table(text: str) -> str:
    return f"[tool.jinja-fragcache]\n{text}\n"


def test_settings_are_those_of_the_nearest_file(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    text = (
        'paths = ["templates"]\napp = "shop:app"\nignore = ["FC009"]\nnames = ["g.x"]'
    )
    load(tmp_path, table(text))
    assert load_settings(inner) == Settings(
        tmp_path, ("templates",), "shop:app", ignore=("FC009",), names=("g.x",)
    )


def test_a_file_without_settings(tmp_path: Path) -> None:
    assert load(tmp_path, "[project]\nname = 'x'") == Settings(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (table('path = ["x"]'), "no setting 'path', there are .* Did you mean paths?"),
        (table('paths = "x"'), "paths is a list of texts"),
        (table("paths = [1]"), "paths is a list of texts"),
        (table("app = ['x']"), "app is a text"),
        (table('select = ["FC01"]'), "select names the rule 'FC01'"),
        (table('ignore = ["fc001"]'), "Did you mean FC001"),
        ("[tool]\njinja-fragcache = 3", "is not a table"),
        ("tool = 3", r"\[tool\] is not a table"),
        (
            "[tool.jinja_fragcache]\npaths = []",
            r"\[tool\.jinja_fragcache\] is not read\. Write \[tool\.jinja-fragcache\]",
        ),
        ("nothing", "can't be read"),
    ],
)
def test_a_wrong_setting_is_told_with_its_file(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(CheckError, match=told) as caught:
        load(tmp_path, text)
    assert "pyproject.toml" in str(caught.value)


def test_rules_to_look_for() -> None:
    assert active_rules([], []) == RULES.keys()
    assert active_rules(["FC001", "FC002"], ["FC002"]) == {"FC001"}
    check_codes(["FC001"], "--select")
    with pytest.raises(CheckError, match="--select names the rule 'FC1'"):
        check_codes(["FC1"], "--select")
