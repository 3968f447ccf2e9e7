"""Asks for everything that a report has."""

from __future__ import annotations

import contextlib
import inspect
from functools import cached_property
from unittest.mock import patch

from neuroact import ActivityReport
from neuroact.errors import NoTimeStepError


def look_at(report: ActivityReport) -> None:
    """Ask for everything that a report has: every figure of every layer and result, and every form.

    Pictures are left out, since they take long.
    """
    assert ActivityReport.from_dict(report.to_dict()) == report
    for layer in report.values():
        for told in (layer, *layer.results.values()):
            for name, member in inspect.getmembers(type(told)):
                if isinstance(member, property | cached_property) and not name.startswith("_"):
                    with contextlib.suppress(NoTimeStepError):
                        getattr(told, name)
        layer.histogram()
    str(report), report._repr_html_(), report.to_csv(per="neuron"), report.diagnose()
    drawn = dict.fromkeys(("report_pictures", "layer_pictures"), lambda *_: ())
    with patch.multiple("neuroact.html.of_report", **drawn):
        report.to_html()
