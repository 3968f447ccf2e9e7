"""In a notebook, operations and their energy are tables of the same texts, all escaped."""

from __future__ import annotations

from html import escape

from made_operations import FIGURES, connection, counted

from neuroact.energy import HOROWITZ_45NM_FP32, OperationCosts
from neuroact.report.operations_report import OperationsReport

SCRIPT = "<script>alert(1)</script>"


def test_a_notebook_shows_the_table_of_operations_and_of_energy() -> None:
    operations = counted().operations
    for name, figures in FIGURES.items():
        row = operations._repr_html_().partition(f">{name}</td>")[2].partition("</tr>")[0]
        assert f">{figures['dense']}</td>" in row
        assert f">{figures['acs']}</td>" in row
    shown = operations.energy(HOROWITZ_45NM_FP32)._repr_html_()
    assert escape(HOROWITZ_45NM_FP32.source) in shown
    assert ">pJ</th>" in shown


def test_nothing_of_a_name_a_reason_or_a_source_is_markup() -> None:
    operations = OperationsReport([connection(SCRIPT)], not_counted={SCRIPT: SCRIPT})
    costs = OperationCosts(name=SCRIPT, ac=1.0, mac=1.0, source=SCRIPT)
    for shown in (operations._repr_html_(), operations.energy(costs)._repr_html_()):
        assert SCRIPT not in shown
        assert escape(SCRIPT) in shown
