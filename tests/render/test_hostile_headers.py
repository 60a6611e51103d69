"""Fragments whose entries in the store were written by somebody else."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader

from jinja_fragcache import FragmentCache
from jinja_fragcache.stores import MemoryStore
from tests.support import RecordingStore, environment

HOLES = (
    '{% cache 300, "k" %}text{% nocache %}{{ hole() }}{% endnocache %}{% endcache %}'
)
INCLUDES = '{% cache 300, "k" %}text{% include name %}{% endcache %}'


class Site:
    def __init__(self, folder: Path, page: str, **options: Any) -> None:
        (folder / "part.html").write_text(" and a part")
        (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
        (folder / "below").mkdir()
        self.store = RecordingStore()
        cache = FragmentCache(self.store, template_digest=True)
        loader = FileSystemLoader(folder)
        self._page = environment(store=cache, loader=loader).from_string(page)
        self.holes = 0
        self.expected = self.page()
        (self.key,) = [key for key in self.store.values if key.startswith("fragment:k")]

    def page(self) -> str:
        def hole() -> str:
            self.holes += 1
            return "."

        return self._page.render(hole=hole, name="part.html")

    def change_header(self, **fields: Any) -> None:
        line, _, text = self.store.values[self.key].partition("\n")
        header = json.loads(line[1:]) | fields
        self.store.values[self.key] = f"\x1e{json.dumps(header)}\n{text}"


@pytest.mark.parametrize(
    "name",
    [
        "logo.png",
        "below",
        "../../../etc/passwd",
        "/etc/passwd",
        "null\0",
        "\udc80",
        "x" * 10_000,
        "",
        "no such.html",
    ],
)
def test_a_header_that_names_other_files_as_templates_is_a_miss(
    tmp_path: Path, name: str
) -> None:
    site = Site(tmp_path, INCLUDES)
    site.change_header(templates={name: "x"})
    assert site.page() == site.expected == "text and a part"
    site.change_header(templates={f"{number}{name}": "x" for number in range(20_000)})
    assert site.page() == site.expected


def test_a_header_with_100_000_holes_is_a_miss(tmp_path: Path) -> None:
    site = Site(tmp_path, HOLES)
    header = json.loads(site.store.values[site.key].partition("\n")[0][1:])
    ((_, number),) = header["holes"]
    site.change_header(holes=[[0, number]] * 100_000)
    before = site.holes
    assert site.page() == site.expected == "text."
    assert site.holes == before + 1


@pytest.mark.parametrize("hole", [1, -1, 10**400, 0.0, True, None, "0"])
def test_a_hole_that_the_template_does_not_have_is_a_miss(
    tmp_path: Path, hole: Any
) -> None:
    site = Site(tmp_path, HOLES)
    site.change_header(holes=[[4, hole]])
    assert site.page() == site.expected


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec=None), max_size=9), inner)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "format",
        "escaped",
        "version",
        "form",
        "tags",
        "expires",
        "cost",
        "templates",
        "holes",
        "body",
        "other",
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(FIELDS, JSON, max_size=4), st.sampled_from([HOLES, INCLUDES]))
def test_no_header_fails_a_page(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any], page: str
) -> None:
    site = Site(tmp_path_factory.mktemp("site"), page)
    site.change_header(**fields)
    # Where a header says where holes are, they are there.
    assert site.page().replace(".", "") == site.expected.replace(".", "")


def test_what_can_not_be_read_again_is_not_stored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    template = environment(store=store).from_string(
        '{% cache 300, "k", n %}{% for number in range(10001) %}{% nocache %}.'
        "{% endnocache %}{% endfor %}{% endcache %}"
    )
    with caplog.at_level(logging.WARNING):
        for n in (1, 1, 2):
            assert template.render(n=n) == "." * 10_001
    assert len(store) == 0
    # Once for each fragment, whatever its key values.
    (record,) = caplog.records
    assert "10001 holes" in record.getMessage()
    assert "Cache smaller parts" in record.getMessage()
