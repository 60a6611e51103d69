"""benchmarks/bar_chart.py: pictures of bars."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks.bar_chart import Bar, draw

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*bars: Bar) -> ET.Element:
    return ET.fromstring(draw("A <title>", "Shorter & better", bars))  # noqa: S314 - our own


def bars_of(picture: ET.Element) -> list[tuple[float, str | None]]:
    """Return the width and the colour of each bar. The first rectangle is the card."""
    rectangles = list(picture.iter(f"{SVG}rect"))[1:]
    return [(float(each.get("width", "")), each.get("fill")) for each in rectangles]


def test_bars_are_drawn_to_scale_and_ours_in_a_colour_of_its_own() -> None:
    picture = drawn(
        Bar("ours", "1.00x", 1, 1, 1, is_ours=True),
        Bar("peer", "4.00x", 3, 4, 5, is_ours=False),
    )
    (ours, colour), (peer, grey) = bars_of(picture)
    assert peer == pytest.approx(4 * ours, rel=0.01)
    assert colour != grey


def test_all_is_inside_of_the_picture_and_readable_on_any_page() -> None:
    bars = [Bar(f"peer {each}", "1", 1, 2, 8, is_ours=False) for each in range(9)]
    picture = drawn(*bars)
    card = next(picture.iter(f"{SVG}rect"))
    assert card.get("fill") == "#ffffff"
    width, height = (float(picture.get(each, "")) for each in ("width", "height"))
    assert width == float(card.get("width", "")) + 2
    for each in picture.iter(f"{SVG}text"):
        assert 0 < float(each.get("x", "")) < width - 80
        assert 0 < float(each.get("y", "")) < height


def test_a_picture_tells_what_it_shows_to_those_who_do_not_see_it() -> None:
    picture = drawn(Bar("peer", "4.00x", 3, 4, 5, is_ours=False))
    assert picture.findtext(f"{SVG}title") == "A <title>"
    assert picture.findtext(f"{SVG}desc") == "Shorter & better. peer: 4.00x."
