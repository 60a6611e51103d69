import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import jinja_fragcache
from tests.release import repository
from tests.release.repository import ROOT, urls, version


def test_the_version_is_that_of_the_package() -> None:
    assert version() == jinja_fragcache.__version__


def test_addresses_are_known_by_small_letters_and_have_no_slash_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = '[project.urls]\nSource = "https://a.test/b/"\nIssues = "https://a.test/c"\n'
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    assert urls() == {"source": "https://a.test/b", "issues": "https://a.test/c"}


def test_groups_name_only_extras_that_there_are() -> None:
    """pip only warns of others, and installs less than it should."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    told: dict[str, Any] = tomllib.loads(text)
    named = re.findall(r'"jinja-fragcache\[([\w,-]+)\]"', text)
    extras = {extra for names in named for extra in names.split(",")}
    assert extras
    assert extras <= told["project"]["optional-dependencies"].keys()
