"""Each rule is documented, with a wrong and a right example that are checked."""

import re
from pathlib import Path

import pytest

from jinja_fragcache.check.rules import RULES
from jinja_fragcache.check.settings import Settings
from tests.check.support import codes

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text("utf-8")
SECTION = re.compile(r"^## (FC\d+)\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^(Wrong|Right):\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(PAGE))


def examples(code: str) -> dict[str, str]:
    return dict(EXAMPLE.findall(SECTIONS[code]))


def test_each_rule_has_a_section() -> None:
    assert SECTIONS.keys() == RULES.keys()


@pytest.mark.parametrize("code", RULES)
def test_the_wrong_example_breaks_the_rule(code: str) -> None:
    assert {each.split()[-1] for each in codes(examples(code)["Wrong"])} == {code}


@pytest.mark.parametrize("code", RULES)
def test_the_right_example_breaks_none(code: str) -> None:
    assert codes(examples(code)["Right"]) == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_the_table_tells_title_and_level(rule: object) -> None:
    code, title, level = (getattr(rule, name) for name in ("code", "title", "level"))
    assert f"| [{code}](#{code.lower()}) | {title} | {level} |" in PAGE


def test_each_setting_is_in_the_table() -> None:
    table = PAGE[PAGE.index("| setting |") :].split("\n\n")[0]
    named = set(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    names = {name for each in named for name in re.findall(r"`(\w+)`", each)}
    assert names == set(Settings.__dataclass_fields__) - {"folder"}
