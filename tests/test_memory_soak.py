"""Short runs of benchmarks/memory_soak.py, and what it says of samples."""

import mmap
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import memory_soak
from benchmarks.memory_soak import Figures, Sample, Settings

MIB = 2**20


def figures(mebibytes: Sequence[float]) -> Figures:
    samples = [
        Sample(3.0 * number, int(each * MIB), 100 * number)
        for number, each in enumerate(mebibytes)
    ]
    return Figures("memory", samples, Counter(keys=123_456, tags=7, templates=8))


@pytest.mark.parametrize(
    ("mebibytes", "is_flat"),
    [
        ([50, 80, 100] + [100] * 6, True),
        # It may get smaller, and one sample may be larger.
        ([50, 80, 120, 100, 100, 100, 99, 150, 99], True),
        ([50, 80, 100, 100, 100, 100, 102, 102, 102], True),
        ([50, 80, 100, 100, 100, 100, 103, 103, 103], False),
        (range(50, 95, 5), False),
    ],
)
def test_a_line_is_flat_if_its_end_is_not_above_its_middle(
    mebibytes: Sequence[float], is_flat: bool
) -> None:
    assert figures(mebibytes).is_flat is is_flat


def test_the_verdict_is_one_line() -> None:
    assert figures([100] * 6 + [101] * 3).verdict == (
        "MemoryStore: flat. 101.0 MiB in the last third, 100.0 MiB in the second"
        " (+1.0%). In 24 seconds, 123,456 new keys, 7 new tags and 8 new templates."
    )
    assert "NOT FLAT" in figures([100] * 6 + [110] * 3).verdict


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@needs_proc
def test_resident_memory_grows_with_what_is_held() -> None:
    before = memory_soak.resident_bytes()
    # Pages of its own: what Python allocates may be memory that it had already.
    with mmap.mmap(-1, 128 * MIB) as held:
        held.write(b"x" * (128 * MIB))
        assert memory_soak.resident_bytes() - before > 100 * MIB


@pytest.mark.slow
@needs_proc
def test_what_is_rendered_on_a_store_is_new(tmp_path: Path) -> None:
    run = memory_soak.run_here(Settings("file", str(tmp_path), 3.0))
    assert run.samples
    assert run.samples[-1].seconds >= 3
    assert run.new["keys"] > 5 * run.samples[-1].steps
    assert min(run.new["tags"], run.new["templates"]) > 0


@needs_proc
def test_a_run_has_a_verdict_however_little_the_machine_did_in_its_time() -> None:
    run = memory_soak.run_here(Settings("memory", "", 0.0))
    assert len(run.samples) == 3
    assert "in the last third" in run.verdict


def test_the_soak_test_exits_with_an_error_if_a_line_is_not_flat(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [figures([100] * 9), figures([100] * 6 + [110] * 3)]
    monkeypatch.setattr(memory_soak, "run", lambda _: runs)
    assert memory_soak.main([]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    runs.pop()
    assert memory_soak.main([]) == 0


@pytest.mark.slow
@needs_proc
def test_the_soak_test_runs_from_the_command_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    picture = tmp_path / "picture.svg"
    # It ends in the warm-up, so the lines may well rise.
    status = memory_soak.main(["--seconds", "3", "--picture", str(picture)])
    printed = capsys.readouterr().out
    assert status == ("NOT FLAT" in printed)
    for name in ("MemoryStore", "RedisStore", "FileStore"):
        assert printed.count(f"{name}: ") == 1
    drawn = ET.parse(picture)  # noqa: S314 - our own
    assert len(drawn.findall(".//{*}polyline")) == 3
