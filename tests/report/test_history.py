"""A history keeps labelled reports in order, and comes back from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import neuroact
from neuroact import ActivityReport, Recording
from neuroact.errors import ComparisonError, ReportFileError
from neuroact.report.history import History, Steps
from neuroact.table.history import history_text


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


def test_training_steps_are_kept_by_files_slices_and_equality(
    history: History, tmp_path: Path
) -> None:
    known = Steps(0, 30, {"lif": (0, 20)})
    history.append("after", report(0.5), steps=known)
    assert history.steps == (None, None, None, None, known)
    assert history[3:].steps == (None, known)
    again = History.from_json(history.to_json())
    assert again == history
    assert again.steps == history.steps
    other = history[:4]
    other.append("after", history[-1][1])
    assert other != history


@pytest.mark.parametrize(
    "wrong", [{"last": -1}, {"first": 31}, {"fired": {"lif": [0, 31]}}, {"fired": {"lif": [9, 3]}}]
)
def test_training_steps_that_cannot_be_are_a_damaged_file(wrong: dict[str, object]) -> None:
    history = History()
    history.append(0, report(0.5), steps=Steps(0, 30, {"lif": (0, 20)}))
    document = json.loads(history.to_json())
    document["reports"][0]["steps"].update(wrong)
    with pytest.raises(ReportFileError, match=r"the history is damaged: reports\[0\]\.steps"):
        History.from_dict(document)


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


def dying(epochs: int = 3, layers: int = 2, *, steps: bool = True) -> History:
    """The last layer falls silent in the last epoch; the others fire all the time."""
    history = History()
    for epoch in range(epochs):
        recording = Recording()
        for at in range(layers):
            spikes = torch.zeros(4, 1, 5)
            spikes[::2] = not (at == layers - 1 and epoch == epochs - 1)
            recording.observe(f"lif{at}", spikes)
        first = 10 * epoch
        fired = {f"lif{at}": (first, first + 9) for at in range(layers)}
        if epoch == epochs - 1:
            del fired[f"lif{layers - 1}"]
        known = Steps(first, first + 9, fired) if steps else None
        history.append(epoch, recording.report(), steps=known)
    return history


def test_its_card_is_short_and_names_what_is_wrong_at_the_end() -> None:
    assert repr(dying()) == (
        "History: 3 reports, epoch 0 to epoch 2\n"
        "  layers      lif0, lif1\n"
        "  at the end  silent: lif1\n"
        "  more        print(history), history[-1], .diagnose(), .plot(), .to_frame(), .to_html()"
    )
    assert len(repr(dying(30, 40))) < 400
    assert "append(label, report)" in repr(History())
    assert repr(dying().diagnose()) == str(dying().diagnose()[0])
    assert repr(History().diagnose()) == "no report has a verdict"
    assert repr(dying().diagnose()[0]).startswith("Course\n")
    assert "array" not in repr(dying().entries[0])


def test_printed_it_is_a_table_by_epoch_with_what_happened_below() -> None:
    lines = str(dying()).splitlines()
    assert lines[0].split() == [
        *("epoch", "steps", "verdict", "dead", "saturated", "sparsity", "lif0", "lif1")
    ]
    assert lines[2].split() == ["0", "0-9", "-", "0", "0", "0.5000", "0.5000", "0.5000"]
    assert lines[4].split() == [
        *("2", "20-29", "lif1", "silent", "5", "(50", "%)", "0", "0.7500", "0.5000", "0")
    ]
    assert lines[6] == "lif1 went silent after step 19 (epoch 1)"


def test_many_reports_are_a_table_of_twenty_rows() -> None:
    lines = str(dying(50, 8)).splitlines()
    rows = [line.split()[0] for line in lines[2:22]]
    assert (rows[0], rows[-1], len(set(rows))) == ("0", "49", 20)
    assert any(line.startswith("rows       20 of 50 reports; all: history.") for line in lines)
    assert "lif7 went silent after step 489 (epoch 48)" in lines


def test_a_narrow_terminal_gets_more_tables_and_loses_no_figure() -> None:
    wide, narrow = str(dying()), history_text(dying().entries, 40)
    assert {word for word in wide.split() if word.strip("-")} <= set(narrow.split())
    assert max(map(len, narrow.splitlines())) <= 40


def test_an_empty_history_prints_and_is_a_frame_without_rows() -> None:
    assert str(History()).splitlines()[0].split() == ["epoch", "dead", "saturated", "sparsity"]
    assert len(History().to_frame()) == 0


def test_a_notebook_shows_the_same_texts_escaped() -> None:
    history = History([("<b>", ActivityReport([]))])
    assert "<b>" not in history._repr_html_().replace("<dt><b>", "")
    shown = dying()._repr_html_()
    assert "<li>lif1 went silent after step 19 (epoch 1)</li>" in shown


def test_a_frame_has_a_row_for_each_report_and_layer() -> None:
    frame = dying().to_frame()
    assert len(frame) == 6
    assert frame["label"].tolist() == [0, 0, 1, 1, 2, 2]
    assert frame["last_step"].tolist() == [9, 9, 19, 19, 29, 29]
    assert frame["verdicts"].tolist() == ["", "", "", "", "", "silent"]
    assert frame["mean"].tolist() == [0.5] * 5 + [0.0]
    assert set(dying()[-1][1].to_frame().columns) < set(frame.columns)
    mixed = History([(0, report(0.5)), ("best", report(0.5))]).to_frame()
    assert mixed["label"].tolist() == ["0", "0", "best", "best"]


def test_two_histories_are_compared_by_their_last_reports() -> None:
    one, other = dying(), dying(4, steps=False)
    assert (
        neuroact.compare(one, other).reports == neuroact.compare(one[-1][1], other[-1][1]).reports
    )
    mixed = neuroact.compare(one, one[0][1], labels=("end", "start"))
    assert mixed["lif1"].differences["start"].dead == -5


def test_a_history_alone_is_compared_report_by_report() -> None:
    found = neuroact.compare(dying())
    assert found.labels == ("epoch 0", "epoch 1", "epoch 2")
    assert [difference.dead for difference in found["lif1"].differences.values()] == [0, 5]
    again = neuroact.compare(History([("a", report(0.5)), ("a", report(0.5))]))
    assert again.labels == ("1", "2")
    with pytest.raises(ComparisonError, match="expected two reports or more"):
        neuroact.compare(dying(1))
    with pytest.raises(ComparisonError, match="a history without reports"):
        neuroact.compare(dying(), History())


def test_its_picture_has_a_line_where_a_layer_was_silent(tmp_path: Path) -> None:
    axes = dying().plot(tmp_path / "history.png", metric="dead")
    (line,) = axes.collections
    assert line.get_segments()[0].tolist() == [[1.5, 1.0], [2.5, 1.0]]  # type: ignore[attr-defined]
    assert axes.get_legend().get_texts()[0].get_text() == "silent: no neuron fired"
    assert (tmp_path / "history.png").stat().st_size > 0
    alone = dying().plot(layer="lif0")
    assert [text.get_text() for text in alone.get_yticklabels()] == ["lif0"]
    assert alone.get_legend() is None


def test_its_page_says_what_happened_and_draws_each_layers_course(tmp_path: Path) -> None:
    history = dying()
    page = history.to_html(tmp_path / "history.html", title="Night <run>")
    assert (tmp_path / "history.html").read_text(encoding="utf-8") == page
    assert "<h1>Night &lt;run&gt;</h1>" in page
    assert "1 of 2 layers has a verdict at the end" in page
    assert '<li class="severe"><p>lif1 went silent after step 19 (epoch 1)</p></li>' in page
    assert '<td class="right" data-value="5">5 (50 %)</td>' in page
    assert page.count('<svg class="course"') == 2
    assert page.count('<line class="silent"') == 1
    assert page.count('<figure class="plot">') == 2
    with pytest.raises(ValueError, match="came an empty history"):
        History().to_html()
