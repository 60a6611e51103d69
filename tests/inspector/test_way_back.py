import pytest

from jinja_fragcache.inspector.way_back import message_of, way_back


@pytest.mark.parametrize(
    ("page", "to"),
    [
        ("", "?done=delete"),
        ("store", "store?done=delete"),
        ("fragment?kind=a&name=b", "fragment?kind=a&name=b&done=delete"),
        ("fragment?name=caf\xe9 <b>", "fragment?name=caf%C3%A9%20%3Cb%3E&done=delete"),
    ],
)
def test_a_form_leads_back_to_its_page(page: str, to: str) -> None:
    assert way_back(page, "delete") == to


@pytest.mark.parametrize(
    "page",
    [
        "//evil.example",
        "https://evil.example/",
        "../admin",
        "entry/../../admin",
        "\\evil",
        "clear",
        "fragment#x",
    ],
)
def test_a_form_leads_nowhere_else(page: str) -> None:
    assert way_back(page, "clear") == "?done=clear"


def test_no_header_can_be_forged() -> None:
    assert "\n" not in way_back("entry?key=a\r\nSet-Cookie: b=c", "delete")


def test_only_what_the_package_says_is_told() -> None:
    assert message_of("clear") == "Everything was deleted."
    assert message_of("<script>") == ""
