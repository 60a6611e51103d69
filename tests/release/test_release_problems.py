from pathlib import Path

import pytest

from tests.release import release_problems
from tests.release.release_problems import main

URLS = {
    "source": "https://host.test/owner/name",
    "documentation": "https://host.test/owner/name/blob/main/docs",
    "changelog": "https://host.test/owner/name/blob/main/CHANGELOG.md",
}
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2030-01-31\n\n- Text.\n"


@pytest.fixture(autouse=True)
def ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put a repository in place that is ready for the release of 1.2.0."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    monkeypatch.setattr(release_problems, "ROOT", tmp_path)
    monkeypatch.setattr(release_problems, "version", lambda: "1.2.0")
    monkeypatch.setattr(release_problems, "urls", lambda: URLS)
    monkeypatch.setattr(release_problems, "git", lambda *_: "")


def problems() -> str:
    with pytest.raises(SystemExit) as ended:
        main()
    return str(ended.value)


def test_a_release_that_is_ready_has_no_problem(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main()
    assert capsys.readouterr().out.startswith("1.2.0 is ready")


@pytest.mark.parametrize("name", URLS)
def test_each_address_is_needed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(release_problems, "urls", lambda: {**URLS, name: ""})
    assert problems() == f"[project.urls] in pyproject.toml has no {name.capitalize()}."


def test_the_documentation_has_to_be_that_of_the_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = {**URLS, "documentation": "https://pages.test"}
    monkeypatch.setattr(release_problems, "urls", lambda: elsewhere)
    assert "is not that of the folder docs/" in problems()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[1.2.0]", "[1.1.0]", "no heading '## [1.2.0] - YYYY-MM-DD'"),
        (" - 2030-01-31", "", "no heading"),
        ("[Unreleased]\n", "[Unreleased]\n\n- More.\n", "still has entries"),
    ],
)
def test_the_changelog_has_to_name_the_version(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new), "utf-8")
    assert told in problems()


@pytest.mark.parametrize(
    ("command", "printed", "told"),
    [
        ("status", " M README.md\n", "not committed"),
        ("tag", "v1.2.0\n", "The tag v1.2.0"),
    ],
)
def test_all_has_to_be_committed_and_the_version_new(
    monkeypatch: pytest.MonkeyPatch, command: str, printed: str, told: str
) -> None:
    answers = {command: printed}
    monkeypatch.setattr(release_problems, "git", lambda name, *_: answers.get(name, ""))
    assert told in problems()
