import pytest

from jinja_fragcache.inspector.exchange import Request, read_headers, read_pairs


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("a=1; wanted=x", "x"),
        ("wanted=x=y", "x=y"),
        # Another cookie that is none leaves those behind it readable.
        ('bad"; [=; wanted=x', "x"),
        ("unwanted=x", None),
        ("wanted", ""),
        ("", None),
    ],
)
def test_a_cookie_is_found_among_others(header: str, value: str | None) -> None:
    request = Request("GET", "", "", headers={"cookie": header})
    assert request.cookie("wanted") == value


def test_several_cookie_headers_are_one() -> None:
    assert read_headers([("Cookie", "a=1"), ("cookie", "b=2")]) == {
        "cookie": "a=1; b=2"
    }


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"", {}),
        (b"key=a%26b&tag=", {"key": "a&b", "tag": ""}),
        (b"key=caf%C3%A9+x", {"key": "caf\xe9 x"}),
        (b"key=%FF\xff", {"key": "�" * 2}),
    ],
)
def test_what_a_form_sends_is_read(text: bytes, pairs: dict[str, str]) -> None:
    assert read_pairs(text) == pairs
