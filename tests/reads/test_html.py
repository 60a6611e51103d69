import pytest

from jinja_fragcache.reads.html import (
    DATA,
    DOUBT,
    UNKNOWN,
    joined,
    place_after,
    starts_element,
)


@pytest.mark.parametrize(
    "text",
    [
        "<p>",
        "<!doctype html>",
        "<br/> text",
        "</p>",
        "<a href='>'>",
        '<a title="<b">',
        "<!-- <script> -->",
        "<!-->",
        "<!-- x --!>",
        "<?xml version='1'?>",
        "<script>if (a < b) '</p>'</script >",
        "<TITLE>a</title>",
        "<textarea><b></textarea>",
        "<script-like>",
        "</ >",
        "<template>",
    ],
)
def test_comments_may_stand_behind_a_whole_element(text: str) -> None:
    assert place_after(UNKNOWN, text) == DATA
    assert place_after(DATA, text) == DATA


@pytest.mark.parametrize(
    "text",
    [
        "<p",
        "<a href=",
        "<a title='",
        '<a title=">',
        "<!-- -- >",
        "<!doctype",
        "<script>",
        "<script>'</scripts>'",
        "<STYLE>p > a {}",
        "<textarea><p>",
        "<title>",
        "<noscript>",
        "<iframe>",
        "<xmp></p>",
    ],
)
def test_none_may_stand_in_a_tag_or_in_the_text_of_some_elements(text: str) -> None:
    assert place_after(DATA, text) not in {DATA, UNKNOWN, DOUBT}


@pytest.mark.parametrize(
    "text",
    [
        "a < b <",
        "</",
        "<![CDATA[ > ",
        "<plaintext></plaintext>",
        "<script><!-- <script> </script>",
    ],
)
def test_what_can_not_be_followed_stays_in_doubt(text: str) -> None:
    assert place_after(DATA, text) == DOUBT
    assert place_after(DOUBT, "<p></p>") == DOUBT


def test_text_alone_tells_nothing() -> None:
    assert place_after(UNKNOWN, " a < b & c > d ") == UNKNOWN
    assert place_after(DATA, " a < b ") == DATA
    assert place_after(UNKNOWN, "") == UNKNOWN


def test_a_text_may_be_cut_anywhere_but_in_the_start_of_a_tag() -> None:
    text = "<p class=\"a>b\" id='c'><!-- - --><script>x</script><title>t</title>z"
    for cut in range(len(text)):
        if (
            text[cut - 1] in "<!-/"
            or text[:cut].rpartition("<")[2].strip("/").isalpha()
        ):
            continue
        assert place_after(place_after(DATA, text[:cut]), text[cut:]) == DATA, cut


def test_ways_that_meet() -> None:
    assert joined(DATA, DATA) == DATA
    assert joined(UNKNOWN, DATA, UNKNOWN) == DATA
    assert joined(DATA, "tag p") == DOUBT
    assert joined(UNKNOWN, UNKNOWN) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        *(("<p>", True), (" \n<!-- -->", True), ("a<p>", False), ("</p>", False)),
        *(("<?xml ?>", False), ("<!doctype html>", False), ("", False), ("< p", False)),
    ],
)
def test_the_first_thing_in_a_text(text: str, starts: bool) -> None:
    assert starts_element(text) is starts
