"""The formats in which a report is written, but for the one for people."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .findings import Finding, Report
from .rules import NOTE, RULES, Rule

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def to_json(report: Report) -> str:
    """Return a report as JSON: an object with the findings and the counts."""
    content = {
        "templates": report.templates,
        "fragments": report.fragments,
        "findings": [_plain(finding) for finding in report.findings],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "level": finding.rule.level,
        "file": finding.file,
        "line": finding.line,
        "template": finding.template,
        "fragment": finding.fragment,
        "message": finding.message,
        "reads": [*finding.reads],
        "write": finding.remedy,
        "page": finding.rule.page,
    }


def to_github(report: Report) -> str:
    """Return a report as the commands that annotate lines on GitHub."""
    return "\n".join(map(_annotation, report.findings))


def _annotation(finding: Finding) -> str:
    level = "notice" if finding.rule.level == NOTE else finding.rule.level
    file = _escaped(finding.file).replace(":", "%3A").replace(",", "%2C")
    text = _escaped(text_of(finding))
    return f"::{level} file={file},line={finding.line},title={finding.code}::{text}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def text_of(finding: Finding) -> str:
    """Return what a finding says, with its reads and the tag to write."""
    reads = [f"Read: {each}" for each in finding.reads]
    write = [f"Write: {finding.remedy}"] if finding.remedy else []
    return "\n".join([finding.message, *reads, *write, finding.rule.more])


def to_sarif(report: Report) -> str:
    """Return a report as SARIF 2.1.0, the format of static analysis tools."""
    run = {
        "tool": {
            "driver": {
                "name": "jinja-fragcache",
                "rules": [_sarif_rule(rule) for rule in RULES.values()],
            }
        },
        "results": [_sarif_result(finding) for finding in report.findings],
    }
    content = {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}
    return json.dumps(content, indent=2, ensure_ascii=False)


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.text},
        "help": {"text": rule.more},
        **({"helpUri": rule.page} if rule.page else {}),
        "defaultConfiguration": {"level": rule.level},
    }


def _sarif_result(finding: Finding) -> dict[str, Any]:
    path = Path(finding.file)
    place = {
        "artifactLocation": {
            "uri": path.as_uri() if path.is_absolute() else _uri(path)
        },
        "region": {"startLine": max(finding.line, 1)},
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": [*RULES].index(finding.code),
        "level": finding.rule.level,
        "message": {"text": text_of(finding)},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: Path) -> str:
    """Return a relative path as a relative reference."""
    root = Path.cwd().anchor
    return (Path(root) / path).as_uri().removeprefix(Path(root).as_uri())


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "json": to_json,
    "github": to_github,
    "sarif": to_sarif,
}
