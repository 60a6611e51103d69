"""benchmarks/performance/: short runs, the page that it writes, and when it fails."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.performance import __main__ as performance
from benchmarks.performance import page
from benchmarks.performance.figures import Bound, Figures, Line
from benchmarks.performance.load import measuring as load
from benchmarks.performance.load.site import SITES, TEXTS
from benchmarks.performance.measuring import QUICK, THOROUGH, Effort, Spread
from benchmarks.performance.works import WORKS, Tables, Work
from tests import servers

SHORT = Effort(rounds=2, largest=1_000, starts=1, load_seconds=1)


class Behind:
    """A work that is behind its goal so often."""

    def __init__(self, times: int) -> None:
        self.efforts: list[Effort] = []
        self._times = times

    def __call__(self, effort: Effort) -> Tables:
        self.efforts.append(effort)
        ratio = 9 if len(self.efforts) <= self._times else 1
        line = Line("ours", "1 us", Spread(ratio, ratio, ratio), Bound(1, 2))
        return [Figures("A work", ("a", "b", "c"), [line])]


def run(monkeypatch: pytest.MonkeyPatch, work: Work) -> int:
    monkeypatch.setitem(WORKS, "a work", work)
    return performance.main(["a work"])


def test_what_is_far_behind_is_measured_again_at_length_before_it_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    once = Behind(1)
    assert run(monkeypatch, Work(once)) == 0
    assert [each.rounds for each in once.efforts] == [QUICK.rounds, THOROUGH.rounds]
    assert "FAR BEHIND" not in capsys.readouterr().out
    assert run(monkeypatch, Work(Behind(2))) == 1
    assert "FAR BEHIND: A work: ours: 9.00, but ≤ 1.00" in capsys.readouterr().out


def test_a_work_whose_program_is_missing_is_left_out_but_not_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    never = Behind(0)
    work = Work(never, clients=("no-such-program",))
    monkeypatch.delenv("CI", raising=False)
    assert run(monkeypatch, work) == 0
    assert "There is no no-such-program" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert run(monkeypatch, work) == 1
    assert not never.efforts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["hit"], "There is no hit. Write one of hits, "), (["hits", "--write"], "leave")],
)
def test_a_wrong_argument_is_an_error_that_says_what_to_write(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        performance.main(arguments)
    assert message in capsys.readouterr().err


def test_without_names_only_the_quick_works_are_measured() -> None:
    quick = performance.chosen([], everything=False)
    assert "hits" in quick
    assert "load" not in quick
    assert performance.chosen([], everything=True) == WORKS
    assert list(performance.chosen(["load"], everything=False)) == ["load"]


@pytest.fixture(scope="module")
def redis_of_its_own() -> Iterator[int]:
    """Provide the port of a Redis server that may be flushed."""
    yield from servers.redis_server()


# `load` has a test of its own.
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WORKS if name != "load"])
def test_each_work_measures_something(name: str) -> None:
    work = WORKS[name]
    for program in work.programs:
        shutil.which(program) or servers.missing(f"{program} is not installed")
    (table,) = performance.tables_of(work, SHORT)
    assert len(table.markdown().splitlines()) > 3


@pytest.mark.slow
def test_a_stampede_renders_each_part_of_ours_once(redis_of_its_own: int) -> None:
    if not shutil.which("wrk"):
        servers.missing("wrk is not installed")
    starts = {site: [load.start(site, redis_of_its_own, 1)] for site in SITES}
    for site, (start,) in starts.items():
        if site.startswith("jinja-fragcache"):
            assert start.renders["sidebar"] == 1
            assert start.renders["members"] <= TEXTS["members"]
            assert start.renders["visits"] <= TEXTS["visits"]
    (peer,) = starts["Flask-Caching"]
    assert peer.renders["sidebar"] > 1
    (none,) = starts["no cache"]
    assert none.renders["sidebar"] >= none.stampede.requests
    assert {row[0] for row in load.warm_table(starts).rows} == set(SITES)
    assert {row[0] for row in load.stampede_table(starts).rows} == set(SITES)


def test_the_page_has_all_tables_and_no_name_of_this_machine(tmp_path: Path) -> None:
    made: dict[str, Tables] = {
        name: [
            Figures(name, (f"{name} {part}", "", ""), [Line("ours", "1 us")])
            for part in range(2 if name == "load" else 1)
        ]
        for name in WORKS
    }
    page.write(made, tmp_path)
    text = (tmp_path / "performance.md").read_text("utf-8")
    for name, tables in made.items():
        for table in tables:
            assert table.markdown() in text, name
    assert not re.search(r"/\w+/\w+|<<|<%", text)
    for picture in re.findall(r"\]\((.*\.svg)\)", text):
        assert (tmp_path / picture).read_text("utf-8").startswith("<svg")
