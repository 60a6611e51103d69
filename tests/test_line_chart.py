"""benchmarks/line_chart.py: pictures of lines over time."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks.line_chart import Line, draw

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line) -> ET.Element:
    text = draw("A <title>", "What & why", ("s", "MiB"), 1.0, lines)
    return ET.fromstring(text)  # noqa: S314 - our own


def points_of(picture: ET.Element) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (p.split(",") for p in each.split())]
        for line in picture.iter(f"{SVG}polyline")
        if (each := line.get("points")) is not None
    ]


def test_a_picture_has_a_title_a_description_and_a_background() -> None:
    picture = drawn(Line("a", "", [(0, 1), (3, 2)]))
    assert picture.findtext(f"{SVG}title") == "A <title>"
    assert picture.findtext(f"{SVG}desc") == "What & why"
    background = picture.find(f"{SVG}rect")
    assert background is not None
    assert background.get("fill") == "#ffffff"


def test_lines_are_drawn_to_scale_and_inside_of_the_picture() -> None:
    picture = drawn(
        Line("level", "", [(0, 100), (5, 100), (10, 100)]),
        Line("rising", "", [(0, 0), (5, 60), (10, 120)]),
    )
    level, rising = sorted(points_of(picture), key=lambda points: points[0][1])
    assert len({y for _, y in level}) == 1
    (x0, y0), (x1, y1), (x2, y2) = rising
    assert x1 == pytest.approx((x0 + x2) / 2)
    assert y1 == pytest.approx((y0 + y2) / 2)
    assert 0 < x0 < x2 < 900
    assert 0 < y2 < level[0][1] < y0 < 384


def test_labels_of_lines_that_end_in_one_place_do_not_overlap() -> None:
    lines = [Line(name, f"note {name}", [(0, 0), (1, 50)]) for name in "abc"]
    texts = {each.text: each.get("y", "") for each in drawn(*lines).iter(f"{SVG}text")}
    heights = sorted(float(texts[name]) for name in "abc")
    assert min(heights[1] - heights[0], heights[2] - heights[1]) >= 30
    assert "note b" in texts


@pytest.mark.parametrize(("highest", "top"), [(3, "5"), (99, "100"), (101, "125")])
def test_the_axis_ends_at_a_round_number(highest: float, top: str) -> None:
    picture = drawn(Line("a", "", [(0, 0), (1, highest)]))
    texts = [each.text for each in picture.iter(f"{SVG}text")]
    numbers = [text for text in texts if text and text.isdecimal()]
    assert max(numbers, key=float) == top
