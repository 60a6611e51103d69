import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache import Reason, Report, Why
from jinja_fragcache.observe.comments import Comments

HIT = Report(
    *("fragment", "sidebar", "hit"),
    key="fragment:sidebar:7",
    template="home.html",
    line=14,
    tags=("posts", "user:7"),
    age=12.3,
    expires_in=287.7,
)


def test_a_comment_says_what_is_reported() -> None:
    begin, end = Comments().around("cache", HIT)
    told, number = begin.rsplit(" #", 1)
    assert told == (
        '<!-- cache hit "sidebar" key=fragment:sidebar:7 age=12s expires=288s'
        " tags=posts,user:7 home.html:14"
    )
    assert end == f"<!-- /cache #{number}"


def test_a_miss_says_why_and_why_it_is_not_stored() -> None:
    report = Report(
        *("fragment", "side", "miss"),
        Why(Reason.TAG, 'tag "a" is new'),
        Why(Reason.TOO_LARGE),
        line=1,
        expires_in=math.inf,
    )
    assert Comments().around("cache-row", report)[0].rpartition(" #")[0] == (
        r'<!-- cache-row miss "side" why="tag \"a\" is new" not-stored="too large"'
        ' expires=never "a template from a string:1"'
    )


@pytest.mark.parametrize("text", ["-->", "--!>", "-", "->", '"', "<!--", "é\ud800", ""])
def test_texts_can_be_read_back(text: str) -> None:
    report = Report("fragment", text, "hit")
    begin = Comments().around("cache", report)[0]
    (quoted,) = re.findall(r'hit ("(?:[^"\\]|\\.)*") ', begin)
    assert json.loads(quoted) == text


@given(st.text(), st.text(), st.lists(st.text()))
def test_nothing_can_end_a_comment(name: str, key: str, tags: list[str]) -> None:
    comments = Comments()
    report = Report(
        *("fragment", name, "hit"), key=key, tags=tuple(tags), template=name, line=1
    )
    for each in (*comments.around("cache", report), *comments.around_hole("x", report)):
        inner = each.removeprefix("<!-- ").removesuffix(" -->")
        assert len(inner) == len(each) - 9
        assert not re.search("--|[<>]", inner)
        assert inner.isascii()
        assert comments.removed(f"a{each}b") == "ab"


def test_only_comments_of_the_same_writer_are_removed() -> None:
    text = "".join(Comments().around("cache", HIT)) + "<!-- cache hit -->"
    assert Comments().removed(text) == text
