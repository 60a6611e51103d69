import pytest
from jinja2 import Environment

from jinja_fragcache.check.ignores import find_ignores
from tests.check.support import codes, findings

TAG = '{% cache 300, "a" %}{{ user.name }}{{ request.path }}{% endcache %}'


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("{# fragcache: ignore[FC001] one user #}\n" + TAG, ["2 FC011"]),
        ("{#- fragcache: ignore[FC001, FC011] one user -#}\n" + TAG, []),
        ("{# fragcache: ignore[FC001 FC011] one user #}" + TAG, []),
        (TAG + "{# fragcache: ignore[FC001,FC011] one user #}", []),
        ("{# fragcache: ignore[FC001,FC011]\n one user #}\n" + TAG, []),
        (
            "{# fragcache: ignore[FC001,FC011] one user #}\n\n" + TAG,
            ["FC013", "3 FC001", "3 FC011"],
        ),
        (
            TAG + "\n{# fragcache: ignore[FC001,FC011] one user #}",
            ["FC001", "FC011", "2 FC013"],
        ),
        (
            "{# fragcache: ignore[FC001,FC002,FC011] one user #}\n" + TAG,
            ["FC013"],
        ),
    ],
)
def test_a_comment_counts_for_its_line_and_the_next(
    page: str, expected: list[str]
) -> None:
    assert codes(page) == expected


def test_a_comment_behind_a_tag_is_not_for_the_next_line() -> None:
    other = TAG.replace('"a"', '"b"')
    page = f"{TAG}{{# fragcache: ignore[FC001,FC011] one user #}}\n{other}"
    assert codes(page) == ["2 FC001", "2 FC011"]


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("ignore[FC001]", "The reason is missing."),
        ("ignore[FC999] x", "There is no rule 'FC999'."),
        ("ignore[] x", "It names no rule."),
        ("ignore", "says nothing that is known."),
        ("ignor[FC001] x", "says nothing that is known."),
    ],
)
def test_a_comment_that_does_not_count_is_told(comment: str, told: str) -> None:
    page = f"{{# fragcache: {comment} #}}\n{TAG}"
    found = findings(page)
    assert [finding.code for finding in found] == ["FC013", "FC001", "FC011"]
    assert told in found[0].message
    assert "Write {# fragcache: ignore[FC001] reason #}." in found[0].message


def test_a_rule_may_be_written_in_small_letters_as_for_select() -> None:
    assert codes(f"{{# fragcache: ignore[fc001, Fc011] one user #}}\n{TAG}") == []


def test_a_rule_that_is_not_looked_for_is_not_missed() -> None:
    page = "{# fragcache: ignore[FC001] x #}\ntext"
    assert codes(page) == ["FC013"]
    assert codes(page, active={"FC002", "FC013"}) == []
    assert codes(page, active={"FC001"}) == []


def test_the_delimiters_are_those_of_the_environment() -> None:
    environment = Environment(comment_start_string="<#", comment_end_string="#>")
    [ignore] = find_ignores("\n<# fragcache: ignore[FC001] x #>", environment)
    assert (ignore.line, ignore.codes) == (2, ("FC001",))
    assert find_ignores("{# fragcache: ignore[FC001] x #}", environment) == []


def test_a_broken_template_can_be_ignored() -> None:
    assert codes("{# fragcache: ignore[FC000] no template #}{% if %}") == []
