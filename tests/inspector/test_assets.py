import re
from importlib.resources import files

import pytest

from jinja_fragcache.inspector.assets import asset

CSS = (files("jinja_fragcache.inspector") / "static" / "inspector.css").read_text()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("inspector.css", "text/css"), ("inspector.js", "text/javascript")],
)
def test_files_of_the_package_are_found(name: str, kind: str) -> None:
    found = asset(name)
    assert found is not None
    assert found.kind.startswith(kind)
    assert found.body


@pytest.mark.parametrize(
    "name", ["", "..", "../inspector.py", "static/inspector.css", "inspector.css/"]
)
def test_no_other_file_is(name: str) -> None:
    assert asset(name) is None


def colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", css))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2 computes it."""
    lighter, darker = sorted(map(_luminance, (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(each * 2 for each in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return sum(
        w * part for w, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


LIGHT = colours(CSS.partition("@media")[0])
DARK = LIGHT | colours(CSS.partition("@media")[2].partition("* {")[0])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "backs"),
    [
        ("text", ["page", "panel", "row", "chip", "good-back", "bad-back"]),
        ("soft", ["page", "panel", "row"]),
        ("link", ["page", "panel", "row"]),
        ("hit", ["panel", "row"]),
        ("stale", ["panel", "row"]),
        ("miss", ["panel", "row"]),
        ("uncached", ["panel", "row"]),
        ("on-danger", ["miss"]),
    ],
)
def test_all_texts_can_be_read(
    theme: dict[str, str], text: str, backs: list[str]
) -> None:
    for back in backs:
        assert contrast(theme[text], theme[back]) >= 4.5, (text, back)
