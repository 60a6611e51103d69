import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.transparency.running import ROOT

MODULE = """
import sys
from jinja2 import Environment
from jinja2.nativetypes import NativeEnvironment
env = Environment(autoescape=True)
template = env.from_string("{% for i in [1, 2] %}{{ x }}{% endfor %} {{ x }}")
print(template.render(x=sys.argv[1]), template.render(x=sys.argv[1] * 2))
assert NativeEnvironment().from_string("{{ [x] }}").render(x=1) == [1]
"""


@pytest.mark.parametrize(
    ("way", "second", "hits"),
    [
        ("extension", "bb b bbbb bb", 0),
        # The loop and the output after it, in both renderings.
        ("cache", "aa a aaaa aa", 4),
        # The rows of both renderings.
        ("cache_each", "aa b aaaa bb", 4),
        # Only what is around the holes is cached, and this again in the loop.
        ("nocache", "bb b bbbb bb", 6),
    ],
)
def test_a_second_run_is_served_what_the_first_one_stored(
    tmp_path: Path, way: str, second: str, hits: int
) -> None:
    (tmp_path / "renders.py").write_text(MODULE)
    command = [sys.executable, "-m", "benchmarks.transparency.run_module", way]
    outputs = [
        subprocess.run(
            [*command, tmp_path, "renders", text],
            env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for text in "ab"
    ]
    assert outputs == ["aa a aaaa aa\n", f"{second}\n"]
    assert json.loads((tmp_path / "stats.json").read_text())["hits"] == hits
