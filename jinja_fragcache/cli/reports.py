"""What people read: findings, counts, and the table of fragments."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import click

from jinja_fragcache.check.checker import name_shown
from jinja_fragcache.check.findings import Finding, Report
from jinja_fragcache.check.project import Project, Template
from jinja_fragcache.check.rules import ERROR, NOTE, WARNING
from jinja_fragcache.messages import count
from jinja_fragcache.reads.arguments import AUTO
from jinja_fragcache.reads.outline import Outline, Tag

from .output import show_table

_COLORS = {ERROR: "red", WARNING: "yellow", NOTE: "cyan"}


def show_report(report: Report) -> None:
    """Print findings, and a line that sums them up."""
    for finding in report.findings:
        _show_finding(finding)
    click.echo(_summary(report))


def _show_finding(finding: Finding) -> None:
    place = click.style(f"{finding.file}:{finding.line}:", bold=True)
    color = _COLORS[finding.rule.level]
    code = click.style(f"{finding.rule.level} {finding.code}", fg=color)
    click.echo(f"{place} {code} {finding.message}")
    for read in finding.reads:
        click.echo(f"    read:  {read}")
    if finding.remedy:
        click.echo(f"    write: {click.style(finding.remedy, fg='green')}")
    rule = finding.rule
    click.echo(f"    see:   {rule.page}" if rule.page else f"    rule:  {rule.text}")


def _summary(report: Report) -> str:
    checked = (
        f"{count(report.templates, 'template')}, {count(report.fragments, 'fragment')}"
    )
    parts = [
        count(number, level)
        for level in (ERROR, WARNING, NOTE)
        if (number := sum(each.rule.level == level for each in report.findings))
    ]
    return f"{checked}: {', '.join(parts) or 'nothing to say'}."


class Row(NamedTuple):
    """A fragment, as the table shows it."""

    name: str
    kind: str
    timeout: str
    key: str
    tags: str
    template: str
    line: int
    file: str


def rows_of(project: Project) -> list[Row]:
    """Return all fragments of the templates that were asked for, by their names."""
    rows = [
        _row(template, tag)
        for template in project.templates.values()
        if template.is_asked and isinstance(template.read, Outline)
        for tag in template.read.tags
    ]
    return sorted(rows)


def _row(template: Template, tag: Tag) -> Row:
    key = ", ".join(tag.key_texts) if tag.key_texts is not None else tag.vary_on_text
    if tag.is_auto:
        key = ", ".join([*(tag.key_texts or ()), AUTO])
    tags = dict(tag.options).get("tags", "")
    return Row(
        name_shown(template.name, tag),
        tag.kind,
        tag.timeout_text or "",
        key,
        tags,
        template.name,
        tag.line,
        template.file,
    )


def show_rows(rows: Sequence[Row]) -> None:
    """Print the table of fragments."""
    show_table(
        ("Name", "Timeout", "Key", "Tags", "Template"),
        [
            (
                row.name,
                row.timeout or "default",
                row.key,
                row.tags,
                f"{row.template}:{row.line}",
            )
            for row in rows
        ],
    )
    click.echo(f"{count(len(rows), 'fragment')}.")


def rows_as_json(rows: Sequence[Row]) -> str:
    """Return the fragments as JSON."""
    content = [row._asdict() for row in rows]
    return json.dumps(content, indent=2, ensure_ascii=False)
