import struct
from pathlib import Path

import pytest

pytest.importorskip("selenium")
from screenshots import HEIGHT, WIDTH, take

DOCS = Path(__file__).parents[2] / "docs"
MOST_BYTES = 150_000


def size_of(picture: Path) -> tuple[int, int]:
    """Return width and height, which stand at the start of a PNG."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height


@pytest.mark.slow
def test_all_pictures_of_the_documentation_are_taken(tmp_path: Path) -> None:
    take(tmp_path, seconds=0.1)
    taken = sorted(each.name for each in tmp_path.iterdir())
    assert taken == sorted(each.name for each in DOCS.glob("*.png"))
    assert size_of(tmp_path / "overlay.png") == (WIDTH, HEIGHT)
    assert size_of(tmp_path / "inspector.png") == (WIDTH, HEIGHT)
    for each in taken:
        assert (tmp_path / each).stat().st_size < MOST_BYTES
        assert (DOCS / each).stat().st_size < MOST_BYTES
