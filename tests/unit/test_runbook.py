"""Whoever is called by an alert or by a reason for attention finds a heading in the runbook that says what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml

from gateway.pages.runbook import GAP, Runbook, anchor, fits, runbook
from hub.attention import Attention
from hub.errors import ProviderError

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
HEADINGS = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
ALERTS = [
    rule
    for group in yaml.safe_load((ROOT / "deployments" / "observability" / "hub_alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
Function = ast.AsyncFunctionDef | ast.FunctionDef


def section(name: str) -> list[str]:
    """The headings below a heading of the second rank."""
    return re.findall(r"^### (.*)$", RUNBOOK.partition(f"\n## {name}\n")[2].partition("\n## ")[0], re.MULTILINE)


def test_each_alert_leads_to_a_heading_of_its_name_and_each_such_heading_has_an_alert() -> None:
    assert [rule["alert"] for rule in ALERTS] == section("Alerts")
    for rule in ALERTS:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{anchor(rule['alert'])}"
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_links_within_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]*)\)", RUNBOOK)) <= {anchor(heading) for heading in HEADINGS}


def test_each_reason_for_attention_has_a_heading_and_each_such_heading_a_reason() -> None:
    reasons, headings = set(reasons_in_code()), [heading.strip("`") for heading in section("Needs attention")]

    assert len(reasons) > 8
    assert not {reason for reason in reasons if not any(fits(heading, reason) for heading in headings)}
    assert not {reason for reason in reasons if runbook().entry_for(attention("order", reason)) is None}
    assert not {heading for heading in headings if not any(fits(heading, reason) for reason in reasons)}


@pytest.mark.parametrize(
    ("kind", "reason", "says"),
    [
        ("notice", "failed: stripe x: handling failed: KeyError", "<em>handling failed</em>: the name of our error"),
        ("notice", "quarantined: stripe x: another amount", "Its order needs attention; see above."),
        ("approval", "shop asks for 500.00 USD; expires 2026-11-25 14:00 UTC", "Press a button below the message in Slack"),
        ("order", "dispute dp_1 was lost; the bank has taken the money back", "The money is gone; nothing refunds it a second time."),
    ],
)
def test_the_pages_quote_the_runbook_about_whatever_needs_a_person(kind: str, reason: str, says: str) -> None:
    entry = runbook().entry_for(attention(kind, reason))

    assert entry is not None
    assert says in entry.says.replace("\n", " ")
    assert f'id="{entry.place.partition("#")[2]}"' in runbook().whole


def test_the_pages_show_the_runbook_itself_and_its_links_lead_to_headings_of_it() -> None:
    whole = runbook().whole
    ids = re.findall(r'<h\d id="([^"]*)"', whole)

    assert ids == [anchor(heading) for heading in HEADINGS]
    assert set(re.findall(r'href="([^"]*)"', whole)) <= {f"/ui/runbook#{one}" for one in ids}
    assert "<script" not in Runbook("## a\n\n<script>b</script>\n").whole


def attention(kind: str, reason: str) -> Attention:
    return Attention(kind=kind, id="1", what=f"{kind} 1", since=datetime.now(UTC), reason=reason, then="")


@cache
def functions() -> tuple[Function, ...]:
    """Every function of the packages that know reasons."""
    trees = [ast.parse(path.read_text()) for package in ("hub", "tasks", "flows") for path in (ROOT / package).rglob("*.py")]
    return tuple(node for tree in trees for node in ast.walk(tree) if isinstance(node, Function))


def reasons_in_code() -> Iterator[str]:
    """Every sentence that can become the reason, with gaps for what is filled in."""
    yield from returned("attention_for")
    for function in functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "AttentionNeeded":
                yield from said(next(keyword.value for keyword in node.keywords if keyword.arg == "reason"), function)


def said(value: ast.expr, function: Function) -> Iterator[str]:
    """What an expression within the function can say; follows variables, parameters and functions of ours to where it is written."""
    match value:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else GAP for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from said(body, function)
            yield from said(orelse, function)
        case ast.Call(func=ast.Name(id="str")):
            yield str(ProviderError(GAP, GAP, GAP))
        case ast.Call(func=ast.Name(id=name)):
            yield from returned(name)
        case ast.Name(id=name) if (position := parameter(function, name)) is not None:
            for caller in functions():
                for call in ast.walk(caller):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == function.name:
                        given = {keyword.arg: keyword.value for keyword in call.keywords}
                        yield from said(given.get(name) or call.args[position], caller)
        case ast.Name(id=name):
            for node in ast.walk(function):
                match node:
                    case ast.Assign(targets=[ast.Name(id=target)], value=found) | ast.NamedExpr(target=ast.Name(id=target), value=found):
                        if target == name:
                            yield from said(found, function)
        case ast.Constant(value=None) | ast.Attribute():
            return
        case _:
            raise AssertionError(f"nobody can follow where the reason {ast.unparse(value)!r} of {function.name} is written")


def parameter(function: Function, name: str) -> int | None:
    names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    return names.index(name) if name in names else None


def returned(name: str) -> Iterator[str]:
    for function in functions():
        for node in ast.walk(function) if function.name == name else ():
            if isinstance(node, ast.Return) and node.value is not None:
                yield from said(node.value, function)
