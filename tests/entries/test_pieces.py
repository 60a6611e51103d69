from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from jinja_fragcache.entries.pieces import Pieces, mark

TOKEN = "0123456789abcdef" * 2
# Text by somebody who knows the format of marks, but not the token.
hostile = st.text() | st.sampled_from(
    [mark("0" * 32, 1), "\x1e", f"\x1e{TOKEN[:-1]}:1\x1e", "1\x1e", "\x1e{}\n"]
)
parts = st.lists(hostile | st.integers(0, 99))


def flat(given: list[str | int]) -> list[str | int]:
    """Join adjacent strings, so that there is one before and after each number."""
    texts: list[str | int] = [""]
    for each in given:
        if isinstance(each, str):
            texts[-1] = f"{texts[-1]}{each}"
        else:
            texts += [each, ""]
    return texts


@given(parts)
@example(["a", 1, "b"])
def test_a_text_is_cut_at_its_marks_and_nowhere_else(given: list[str | int]) -> None:
    text = "".join(
        each if isinstance(each, str) else mark(TOKEN, each) for each in given
    )
    pieces = Pieces.cut(text, TOKEN)
    assert list(pieces.parts()) == flat(given)
    assert pieces.text == "".join(each for each in given if isinstance(each, str))
    assert TOKEN not in pieces.text


def test_pieces_of_markup_are_plain_strings() -> None:
    pieces = Pieces.cut(Markup("<b>") + Markup(mark(TOKEN, 1)), TOKEN)
    assert [type(each) for each in pieces.parts()] == [str, int, str]
