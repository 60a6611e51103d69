import io
from itertools import count

import demo
import pytest
from demo import ChangedPageError, Comparison, Render, compare_page, make_table, render
from flask import Flask
from rich.console import Console
from stdlib_docs import cache, create_app

PATHS = ["/", "/modules/cmd", "/modules/json", "/search?q=cmd", "/modules.json"]


@pytest.fixture
def app() -> Flask:
    app = create_app()
    app.testing = True
    app.config["CACHE_IN_TESTING"] = True
    return app


def comparison(path: str, cold: float, warm: float) -> Comparison:
    first = Render("", milliseconds=cold, hits=1, misses=4)
    later = Render("", milliseconds=warm + 1, hits=5, misses=0)
    return Comparison(path, first, later, warm)


@pytest.mark.slow
def test_cold_pages_miss_and_warm_pages_only_hit(app: Flask) -> None:
    comparisons = demo.compare(app, PATHS)
    assert [each.path for each in comparisons] == PATHS
    for each in comparisons:
        assert each.cold.misses > 0
        assert each.warm.misses == 0
        assert each.warm.hits == each.cold.hits + each.cold.misses
        assert each.warm.text == each.cold.text
    # The pages after the first find the layout's three fragments in the cache.
    assert [each.cold.hits for each in comparisons] == [0, 3, 3, 3, 0]
    # A search and the list of modules in JSON are one value each.
    assert [each.cold.misses for each in comparisons[3:]] == [1, 1]


@pytest.mark.slow
def test_a_comparison_starts_with_an_empty_cache(app: Flask) -> None:
    first = demo.compare(app, PATHS)
    second = demo.compare(app, PATHS)
    assert [each.cold.misses for each in first] == [each.cold.misses for each in second]


def test_a_page_that_differs_from_its_first_render_is_an_error() -> None:
    app = Flask("changing")
    cache.init_app(app, config={"CACHE_TYPE": "simple"})
    numbers = count()

    @app.get("/")
    def number() -> str:
        return str(next(numbers))

    with app.app_context():
        client = app.test_client()
        cold = render(client, "/")
        with pytest.raises(ChangedPageError, match="/ is not the same"):
            compare_page(client, "/", cold)


def test_the_table_has_each_page_and_their_total() -> None:
    comparisons = [
        comparison("/", cold=100, warm=0.5),
        comparison("/modules/cmd", cold=60.25, warm=1.5),
    ]
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(make_table(comparisons))
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in capture.get().splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        ["index", "5", "100.0", "0.5", "200 x", "1 -> 5", "4 -> 0"],
        ["cmd", "5", "60.2", "1.5", "40 x", "1 -> 5", "4 -> 0"],
        ["Together", "10", "160.2", "2.0", "80 x", "2 -> 10", "8 -> 0"],
    ]


@pytest.mark.slow
def test_the_demo_prints_all_rows_and_where_to_see_the_pages() -> None:
    file = io.StringIO()
    demo.main(Console(file=file, width=80))
    output = file.getvalue()
    for row in (
        *("index", "argparse", "asyncio", "email", "typing"),
        *("search", "modules.json", "Together"),
    ):
        assert f"│ {row} " in output
    assert "make serve" in output
    assert "http://127.0.0.1:8000/" in output
    assert max(map(len, output.splitlines())) <= 80


def test_the_table_can_be_printed_as_ascii() -> None:
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding="ascii") as file:
        Console(file=file, width=80).print(make_table([comparison("/", 2, 1)]))
        file.flush()
        assert b"2 x" in buffer.getvalue()
