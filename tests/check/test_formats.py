import json
from pathlib import Path

import pytest

from jinja_fragcache.check import rules
from jinja_fragcache.check.findings import Finding, Report
from jinja_fragcache.check.formats import to_github, to_json, to_sarif
from jinja_fragcache.check.rules import RULES

FINDING = Finding(
    "a b/c%.html",
    3,
    "FC001",
    "c%.html",
    "x",
    "100 % wrong:\nso",
    ("r in a",),
    "{% w %}",
)
NOTE = Finding("n.html", 1, "FC012", "n.html", "y", "a note")
REPORT = Report([FINDING, NOTE], templates=2, fragments=5)


def test_json_has_all_that_is_known() -> None:
    content = json.loads(to_json(REPORT))
    assert (content["templates"], content["fragments"]) == (2, 5)
    assert content["findings"][0] == {
        "code": "FC001",
        "level": "error",
        "file": "a b/c%.html",
        "line": 3,
        "template": "c%.html",
        "fragment": "x",
        "message": "100 % wrong:\nso",
        "reads": ["r in a"],
        "write": "{% w %}",
        "page": None,
    }


def test_github_gets_one_line_for_each_finding() -> None:
    text = RULES["FC001"].text.replace("%", "%25")
    first, second = to_github(REPORT).splitlines()
    assert first == (
        "::error file=a b/c%25.html,line=3,title=FC001::100 %25 wrong:%0Aso"
        f"%0ARead: r in a%0AWrite: {{%25 w %25}}%0A{text}"
    )
    assert second.startswith("::notice file=n.html,line=1,title=FC012::a note")
    assert to_github(Report()) == ""


def test_sarif_names_rules_places_and_levels() -> None:
    content = json.loads(to_sarif(REPORT))
    assert content["version"] == "2.1.0"
    [run] = content["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [*RULES]
    assert all(rule["fullDescription"]["text"] for rule in rules)
    assert not any("helpUri" in rule for rule in rules)
    first, second = run["results"]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "FC001"
    assert (first["level"], second["level"]) == ("error", "note")
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20b/c%25.html"},
                "region": {"startLine": 3},
            }
        }
    ]


def test_the_page_of_a_rule_is_named_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "_documentation", lambda: "https://fragcache.test/docs")
    page = "https://fragcache.test/docs/check.md#fc001"
    assert json.loads(to_json(REPORT))["findings"][0]["page"] == page
    assert to_github(REPORT).splitlines()[0].endswith(f"%0ASee {page}")
    [run] = json.loads(to_sarif(REPORT))["runs"]
    assert run["tool"]["driver"]["rules"][1]["helpUri"] == page


def test_sarif_names_a_file_elsewhere_by_its_whole_path(tmp_path: Path) -> None:
    file = (tmp_path / "a.html").as_posix()
    report = Report([Finding(file, 1, "FC005", "a.html", "x", "text")])
    [result] = json.loads(to_sarif(report))["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"].startswith("file:///")
