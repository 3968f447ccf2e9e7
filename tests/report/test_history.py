"""A history keeps labelled reports in order, and comes back from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from neuroact import ActivityReport, Recording
from neuroact.errors import ReportFileError
from neuroact.report.history import History


def report(rate: float) -> ActivityReport:
    recording = Recording(dt=0.001)
    recording.observe("lif", (torch.rand(20, 4, 7) < rate).float())
    recording.observe("readout", torch.rand(20, 4, 2) * rate, kind="analog")
    return recording.report()


@pytest.fixture
def history() -> History:
    return History((n if n < 3 else "best", report(n / 4)) for n in range(4))


def test_it_is_a_sequence_of_labels_and_reports(history: History) -> None:
    assert len(history) == 4
    label, last = history[-1]
    assert label == "best"
    assert last is list(history)[3][1]
    assert [label for label, _ in history[1:3]] == [1, 2]
    assert isinstance(history[1:3], History)


def test_a_file_gives_back_the_same_history_to_the_bit(history: History, tmp_path: Path) -> None:
    text = history.to_json(tmp_path / "history.json")
    assert (tmp_path / "history.json").read_text() == text
    for again in (History.from_json(tmp_path / "history.json"), History.from_json(text)):
        assert again == history
        assert again.to_json() == text
        assert [dict(r.origin) for _, r in again] == [dict(r.origin) for _, r in history]


def test_a_subclass_reads_one_of_its_own_kind(history: History) -> None:
    class Ours(History):
        pass

    class OurReport(ActivityReport):
        pass

    assert type(Ours.from_json(history.to_json())) is Ours
    assert type(Ours.from_dict(history.to_dict())) is Ours
    last = history[-1][1]
    assert type(OurReport.from_json(last.to_json())) is OurReport
    assert type(OurReport.from_dict(last.to_dict())) is OurReport


def test_a_report_is_a_line(history: History) -> None:
    assert sum('"label": ' in line for line in history.to_json().splitlines()) == len(history)


def test_an_empty_history_has_a_file_too() -> None:
    assert History.from_json(History().to_json()) == History()


def test_histories_of_other_reports_labels_or_orders_are_not_equal(history: History) -> None:
    assert history != History(reversed(list(history)))
    assert history != history[:3]
    assert history != History((str(label), r) for label, r in history)
    assert history != list(history)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema="neuroact.report"), 'expected a document with "schema": "neur'),
        (lambda d: d.update(schema_version=99), "schema version 99, this neuroact reads up to 1"),
        (
            lambda d: d.pop("reports"),
            "damaged: object missing required field `reports`",
        ),
        (
            lambda d: d["reports"].__setitem__(2, []),
            "the history is damaged: reports[2]: expected `object`, came []",
        ),
        (
            lambda d: d["reports"][1].update(label=True),
            "reports[1].label: expected `int | str`, came True",
        ),
        (
            lambda d: d["reports"][3].pop("report"),
            "reports[3]: object missing required field `report`",
        ),
        (
            lambda d: d["reports"][0]["report"]["layers"][0].update(events=[-1] * 7),
            'report 0 of the history: the report is damaged: layer "lif": events[0]: expected',
        ),
    ],
)
def test_a_damaged_file_says_what_is_wrong_and_where(
    change: object, message: str, history: History, tmp_path: Path
) -> None:
    document = json.loads(history.to_json())
    assert callable(change)
    change(document)
    path = tmp_path / "history.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ReportFileError) as error:
        History.from_json(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


@pytest.mark.parametrize("keep", [0, 1, 100, -2])
def test_a_file_cut_short_is_an_error(keep: int, history: History, tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(history.to_json()[:keep])
    with pytest.raises(ReportFileError, match="not JSON, or cut short"):
        History.from_json(path)
