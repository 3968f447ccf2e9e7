"""The commands that read files of reports: what they print and write, and when they fail."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import PROGRAM, Ended, neuroact
from printed import printed
from pyarrow import parquet

from neuroact import (
    ActivityReport,
    Comparison,
    Recording,
    compare,
    plots,
)
from neuroact.report.history import History


def recorded(neurons: int, dead: int = 0, saturated: int = 0, **options: Any) -> Recording:
    """One layer with the given numbers of dead and saturated neurons. The others fire sometimes."""
    recording = Recording(**options)
    spikes = torch.zeros(10, 4, neurons)
    spikes[::3] = 1
    spikes[:, :, :dead] = 0
    spikes[:, :, dead : dead + saturated] = 1
    recording.observe("lif", spikes)
    return recording


def written(path: Path, recording: Recording) -> Path:
    if path.suffix == ".nact":
        recording.save(path)
    else:
        recording.report().to_json(path)
    return path


def show(path: Path, recording: Recording, *conditions: str, json: bool = False) -> Ended:
    options = [word for condition in conditions for word in ("--fail-on", condition)]
    return neuroact("show", written(path, recording), *options, *(["--json"] if json else []))


@pytest.fixture(params=["activity.json", "activity.nact"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The path of a report's JSON or a recording."""
    return tmp_path / str(request.param)


@pytest.mark.parametrize(
    ("dead", "code"), [(0, 0), (2, 0), (3, 1), (9, 1), (10, 1)], ids=lambda value: str(value)
)
def test_a_pipeline_fails_when_30_percent_of_a_layer_is_dead(
    dead: int, code: int, file: Path
) -> None:
    recording = recorded(10, dead=dead)
    result = show(file, recording, "dead=0.3")
    assert result.code == code
    assert result.out == printed(recording.report()) + "\n"
    assert bool(result.err) == bool(code)
    assert result.err.count("\n") == code


def test_what_was_found_is_told_with_its_figure_threshold_and_advice(file: Path) -> None:
    result = show(file, recorded(10, dead=3), "dead=0.3")
    assert result.err.startswith(
        "30 % of lif never fired: 3 of its 10 neurons (dead, threshold 30 %)"
    )


@pytest.mark.parametrize(
    ("condition", "dead", "saturated", "code"),
    [
        ("saturated=0.5", 0, 4, 0),
        ("saturated=0.5", 0, 5, 1),
        ("saturated", 0, 1, 1),
        ("dead", 7, 0, 0),
        ("dead", 8, 0, 1),
        ("dead=0", 0, 0, 0),
        ("dead=0", 1, 0, 1),
        ("dead=1", 9, 0, 0),
        ("dead=1", 10, 0, 1),
        ("silent", 9, 0, 0),
        ("silent", 10, 0, 1),
        ("any", 0, 0, 0),
        ("any", 8, 0, 1),
        ("any", 0, 5, 1),
        ("fading", 10, 0, 0),
    ],
)
def test_each_verdict_fails_at_its_own_threshold_or_the_usual_one(
    condition: str, dead: int, saturated: int, code: int, tmp_path: Path
) -> None:
    recording = recorded(10, dead=dead, saturated=saturated)
    assert show(tmp_path / "activity.json", recording, condition).code == code


def test_conditions_add_up(tmp_path: Path) -> None:
    recording = recorded(10, dead=4, saturated=5)
    result = show(tmp_path / "a.json", recording, "dead=0.4", "saturated=0.6")
    assert (result.code, result.err.count("\n")) == (1, 1)
    result = show(tmp_path / "a.json", recording, "dead=0.4", "saturated=0.5")
    assert (result.code, result.err.count("\n")) == (1, 2)


def beside_head(folder: Path, *arguments: object) -> tuple[int, str, str]:
    """Run the command with a reader that closes the pipe before the first byte."""
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    ended = subprocess.run(
        command, stdout=writes, stderr=subprocess.PIPE, text=True, cwd=folder, check=False
    )
    os.close(writes)
    return ended.returncode, "", ended.stderr


def test_a_reader_that_goes_away_changes_neither_the_exit_code_nor_what_is_written(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "activity.json", recorded(10, dead=3))
    assert beside_head(tmp_path, "show", path) == (0, "", "")
    assert beside_head(tmp_path, "show", path, "--json", "--fail-on", "dead=0.5") == (0, "", "")
    code, _, err = beside_head(tmp_path, "show", path, "--fail-on", "dead=0.3")
    assert (code, err.count("\n")) == (1, 1)
    assert beside_head(tmp_path, "--help")[::2] == (0, "")
    assert beside_head(tmp_path, "export", path, "--per", "neuron") == (0, "", "")
    assert beside_head(tmp_path, "show", tmp_path / "none.json")[0] == 2
    page = tmp_path / "page.html"
    assert beside_head(tmp_path, "compare", path, path, "--html", page)[0] == 0
    assert page.exists()


def test_a_pipe_whose_reader_goes_away_is_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path, pipe = written(tmp_path / "activity.json", recorded(100_000)), tmp_path / "pipe.json"
    os.mkfifo(pipe)
    command = [sys.executable, "-c", PROGRAM, "export", str(path), "--out", str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with pipe.open("rb") as reader:
            reader.read(1)
        _, err = process.communicate()
    assert process.returncode == 2
    assert err == f"neuroact: [Errno 5] nobody reads it any more: '{pipe}'\n"


def test_names_are_shown_without_escape_codes_on_a_terminal_and_as_they_are_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording()
    recording.observe("lif\x1b[31m", torch.ones(2, 1, 3))
    path = written(tmp_path / "activity.json", recording)
    assert neuroact("export", path).out == recording.report().to_csv()
    monkeypatch.setattr("neuroact.table.is_terminal", lambda: True)
    out = neuroact("export", path).out
    assert r"lif\x1b[31m" in out
    assert out.count("\n") == 2
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("dad=0.3", "there is no verdict 'dad'. There are: silent, exploding"),
        ("dead=", "expected a number after dead=, came ''"),
        ("dead=lots", "expected a number after dead=, came 'lots'"),
        ("dead=-1", "dead=-1: expected a share in [0, 1]"),
        ("dead=nan", "dead=nan: expected a share in [0, 1]"),
        ("dead=30", "dead=30: expected a share in [0, 1]; did you mean dead=0.3?"),
        ("saturated=inf", "saturated=inf: expected a share in [0, 1]"),
        ("fading=10", "did you mean fading=0.1?"),
        ("bimodal=85", "did you mean bimodal=0.85?"),
        ("busy=-1", "busy=-1: expected a number of 0 or more"),
        ("busy=inf", "busy=inf: expected a number of 0 or more"),
        ("silent=1", "silent takes no number"),
        ("any=1", "any takes no number"),
    ],
)
def test_a_condition_that_is_none_is_bad_use_and_no_verdict(
    condition: str, message: str, tmp_path: Path
) -> None:
    result = show(tmp_path / "activity.json", recorded(3), condition)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())


@pytest.mark.filterwarnings("ignore::neuroact.errors.NeuroactWarning")
def test_a_layer_that_cannot_be_judged_has_not_passed(file: Path) -> None:
    recording = recorded(3)
    recording.observe("broken", torch.tensor([[[torch.nan, 1.0]]]), kind="graded")
    assert show(file, recording).code == 0
    result = show(file, recording, "dead=0.3")
    assert result.code == 1
    assert result.err == 'layer "broken" cannot be judged: NaN or infinite values were emitted.\n'


def test_a_layer_that_was_never_called_has_not_passed(tmp_path: Path) -> None:
    document = recorded(3).report().to_dict()
    path = tmp_path / "activity.json"
    path.write_text(json.dumps({**document, "not_called": ["head"]}))
    result = neuroact("show", path, "--fail-on", "dead=0.9")
    assert result.code == 1
    assert 'layer "head" cannot be judged: it was recorded but never called' in result.err


def test_a_layer_of_real_values_has_no_verdicts_and_passes(file: Path) -> None:
    recording = recorded(3)
    recording.observe("readout", torch.zeros(5, 2, 3), kind="analog")
    assert show(file, recording, "any").code == 0


def test_json_is_the_report_with_its_verdicts(file: Path) -> None:
    recording = recorded(10, dead=3, saturated=1)
    result = show(file, recording, "dead=0.3", json=True)
    assert result.code == 1
    document = json.loads(result.out)
    assert ActivityReport.from_dict(document) == recording.report()
    verdicts = {entry["name"]: entry for entry in document["verdicts"]}
    assert set(verdicts) == {"dead", "saturated"}
    assert (verdicts["dead"]["layer"], verdicts["dead"]["threshold"]) == ("lif", 0.3)
    assert verdicts["saturated"]["value"] == 0.1


def test_files_of_either_kind_are_compared_with_the_first(tmp_path: Path) -> None:
    recordings = [recorded(10, dead=n) for n in range(3)]
    names = ["before.json", "middle.nact", "after.json"]
    files = [written(tmp_path / n, r) for n, r in zip(names, recordings, strict=True)]
    reports = [recording.report() for recording in recordings]
    expected = compare(*reports, labels=["before", "middle", "after"])
    result = neuroact("compare", *files)
    assert (result.code, result.out, result.err) == (0, f"{printed(expected)}\n", "")
    result = neuroact("compare", *files, "--legend")
    assert (result.code, result.out) == (0, f"{expected.table(legend=True)}\n")
    result = neuroact("compare", *files, "--json")
    assert Comparison.from_json(result.out) == expected


def test_reports_of_one_name_are_labelled_by_their_path_or_as_told(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(written(tmp_path / folder / "activity.json", recorded(3)))
    assert labels_of(*files) == tuple(map(str, files))
    assert labels_of(*files, "--label", "old", "--label", "new") == ("old", "new")
    assert labels_of(files[0], files[0]) == (f"1: {files[0]}", f"2: {files[0]}")


def labels_of(*arguments: Any) -> tuple[str, ...]:
    return Comparison.from_json(neuroact("compare", *arguments, "--json").out).labels


def test_a_comparisons_file_is_shown_drawn_and_made_a_page(tmp_path: Path) -> None:
    found = compare(recorded(10).report(), recorded(10, dead=3).report(), labels=("a", "b"))
    file = tmp_path / "comparison.json"
    text = found.to_json(file)
    assert neuroact("show", file) == (0, f"{printed(found)}\n", "")
    assert neuroact("show", file, "--legend").out == f"{found.table(legend=True)}\n"
    assert neuroact("show", file, "--json") == (0, text, "")
    assert neuroact("html", file).code == 0
    assert file.with_suffix(".html").read_text() == found.to_html()
    assert neuroact("html", file, "--title", "Mine").code == 0
    assert file.with_suffix(".html").read_text() == found.to_html(title="Mine")
    assert neuroact("plot", file).code == 0
    found.plot(tmp_path / "expected.png")
    assert file.with_suffix(".png").read_bytes() == (tmp_path / "expected.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "--fail-on", "dead"], "FILE is a comparison: only a report has verdicts"),
        (["plot", "--kind", "box"], "FILE is a comparison: it has one picture"),
        (["plot", "--layer", "lif"], "FILE is a comparison: it has one picture"),
        (["plot", "--metric", "mean"], "FILE is a comparison: it has one picture"),
        (["export"], "is a comparison of 2 reports, not a report: see neuroact show"),
        (["compare"], "is a comparison of 2 reports, not a report: see neuroact show"),
    ],
)
def test_what_cannot_be_done_with_a_comparison_is_said(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "comparison.json"
    compare(recorded(10).report(), recorded(10).report()).to_json(file)
    command, *options = arguments
    result = neuroact(command, file, *options)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())


def test_layers_of_other_names_are_matched_by_a_map(tmp_path: Path) -> None:
    other = Recording()
    other.observe("relu", torch.ones(2, 3, 4))
    files = [written(tmp_path / "a.json", recorded(4)), written(tmp_path / "b.json", other)]
    result = neuroact("compare", *files)
    assert result.code == 2
    assert "no layer of the first report" in result.err
    result = neuroact("compare", *files, "--map", "lif=relu", "--json")
    assert json.loads(result.out)["layers"][0]["names"] == {"a": "lif", "b": "relu"}


@pytest.mark.parametrize("pair", ["lif", "=lif", "lif="])
def test_a_map_that_is_none_is_bad_use(pair: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", recorded(4))
    result = neuroact("compare", path, path, "--map", pair)
    assert result.code == 2
    assert f"expected A=B, came {pair!r}" in result.err


def test_one_report_is_nothing_to_compare(tmp_path: Path) -> None:
    result = neuroact("compare", written(tmp_path / "a.json", recorded(4)))
    assert result.code == 2
    assert "two reports or more" in result.err


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_comparison_is_drawn_too(ending: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", recorded(4))
    picture = tmp_path / f"difference.{ending}"
    result = neuroact("compare", path, path, "--plot", picture)
    assert (result.code, result.err) == (0, f"Written: {picture}\n")
    assert is_picture(picture, ending)


def test_a_comparisons_picture_of_another_ending_is_bad_use(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", recorded(4))
    result = neuroact("compare", path, path, "--plot", tmp_path / "a.gif")
    assert (result.code, result.out) == (2, "")
    assert "expected a name that ends in one of .png, .svg, .pdf" in result.err


def test_a_comparison_is_a_page_too(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.json", recorded(10, dead=n)) for n in (0, 4)]
    page = tmp_path / "page.html"
    result = neuroact("compare", *files, "--html", page)
    assert (result.code, result.err) == (0, f"Written: {page}\n")
    reports = [ActivityReport.from_json(file) for file in files]
    assert page.read_text() == compare(*reports, labels=["0", "4"]).to_html()


def test_a_page_is_written_beside_the_report_or_where_it_is_told(file: Path) -> None:
    written(file, recorded(4))
    beside, given = file.with_suffix(".html"), file.with_name("page.html")
    assert neuroact("html", file).err == f"Written: {beside}\n"
    assert neuroact("html", file, "--out", given).err == f"Written: {given}\n"
    assert "lif" in beside.read_text()
    assert beside.read_text().lower().startswith("<!doctype html>")


@pytest.mark.parametrize("command", [["show"], ["plot"], ["html"], ["compare"], ["export"]])
def test_a_file_that_is_neither_report_nor_recording_is_bad_use(
    command: list[str], tmp_path: Path
) -> None:
    for name, content in {
        "a.json": '{"schema": "other"}',
        "sparsity.json": '{"ActivationSparsity": 0.5}',
        "table.csv": "a,b",
        "list.json": "[1]",
    }.items():
        (tmp_path / name).write_text(content)
        result = neuroact(*command, tmp_path / name)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"neuroact: {tmp_path / name}")
        assert "expected a recording, or the JSON of a report" in result.err


KINDS = [
    "box",
    "violin",
    "curve",
    "time",
    "intervals",
    "signal",
    "signal-time",
    "neurons",
    "raster",
]


def is_picture(path: Path, ending: str = "png") -> bool:
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    return path.read_bytes().startswith(begins)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_picture_is_drawn_from_a_file(kind: str, file: Path) -> None:
    kept = ["TimeCourse", "InterspikeIntervals", "Raster", "Signal"]
    written(file, recorded(4, statistics=kept))
    result = neuroact("plot", file, "--kind", kind, "--out", file.with_suffix(".svg"))
    assert (result.code, result.err) == (0, f"Written: {file.with_suffix('.svg')}\n")
    assert is_picture(file.with_suffix(".svg"), "svg")


def test_the_help_lists_every_kind_and_every_figure_there_is() -> None:
    text = neuroact("plot", "--help").out
    assert all(kind in text for kind in plots.KINDS)
    assert all(metric in text for metric in plots.HISTORY_METRICS)
    # Drawn in tests/cli/test_cli_operations.py, and in tests/plots/test_choice.py.
    assert {*KINDS, "operations", "classes"} == set(plots.KINDS)


def test_a_box_plot_beside_the_report_is_what_is_drawn_where_nothing_is_said(file: Path) -> None:
    written(file, recorded(4))
    assert neuroact("plot", file).err == f"Written: {file.with_suffix('.png')}\n"
    expected = file.with_name("expected.png")
    ActivityReport.plot(recorded(4).report(), expected)
    assert file.with_suffix(".png").read_bytes() == expected.read_bytes()


def test_chosen_layers_are_drawn_in_the_order_asked_for(file: Path) -> None:
    written(file, two_layers())
    assert neuroact("plot", file, "--layers", "lif*", "--order", "mean").code == 0
    expected = file.with_name("expected.png")
    two_layers().report().plot(expected, layers="lif*", order="mean")
    assert file.with_suffix(".png").read_bytes() == expected.read_bytes()
    two_layers().report().plot(expected)
    assert file.with_suffix(".png").read_bytes() != expected.read_bytes()


def two_layers() -> Recording:
    recording = recorded(4)
    recording.observe("lif2", torch.ones(3, 2, 5))
    return recording


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "pie"], "expected one of box, violin"),
        (["--kind", "neurons"], "neurons shows one layer; there are: lif, lif2"),
        (["--kind", "raster", "--layer", "lif"], "Raster"),
        (["--layer", "lif9"], "no layer 'lif9'"),
        (["--out", "a.bmp"], "ends in one of .png, .svg, .pdf, came 'a.bmp'"),
        (["--out", "nowhere/a.png"], "nowhere"),
        (["--metric", "mean"], "only a history is drawn by metric"),
        (["--order", "size"], "expected one of model, name, mean"),
        (["--layers", "lif", "--layer", "lif2"], "one layer is drawn, that of --layer"),
        (["--kind", "raster", "--layers", "lif*"], "raster shows one layer"),
    ],
)
def test_a_picture_that_cannot_be_is_bad_use(
    options: list[str], message: str, tmp_path: Path
) -> None:
    result = neuroact("plot", written(tmp_path / "a.json", two_layers()), *options)
    assert result.code == 2
    assert message in " ".join(result.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A training of three epochs in which more and more neurons die."""
    path = tmp_path / "history.json"
    History((epoch, recorded(10, dead=3 * epoch).report()) for epoch in range(3)).to_json(path)
    return path


def test_a_history_is_drawn_as_layer_by_epoch(history: Path) -> None:
    assert neuroact("plot", history, "--metric", "dead").code == 0
    drawn = history.with_suffix(".png")
    expected = history.with_name("expected.png")
    plots.save_figure(plots.history_plot(History.from_json(history), "dead"), expected)
    assert drawn.read_bytes() == expected.read_bytes()
    assert neuroact("plot", history, "--layer", "lif", "--out", drawn).code == 0
    assert drawn.read_bytes() != expected.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "box"], "it has one kind of picture"),
        (["--metric", "fame"], "expected one of mean"),
        (["--layer", "lif9"], "no layer 'lif9'"),
        (["--order", "mean"], "it takes --layer"),
    ],
)
def test_a_historys_picture_that_cannot_be_is_bad_use(
    options: list[str], message: str, history: Path
) -> None:
    result = neuroact("plot", history, *options)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_a_history_is_compared_epoch_with_epoch(history: Path) -> None:
    found = Comparison.from_json(neuroact("compare", history, "--json").out)
    assert found.labels == ("epoch 0", "epoch 1", "epoch 2")
    assert [difference.dead for difference in found["lif"].differences.values()] == [3, 6]


def test_a_history_beside_others_stands_for_its_last_report(history: Path) -> None:
    report = written(history.with_name("best.json"), recorded(10))
    assert labels_of(report, history) == ("best", "history epoch 2")
    assert neuroact("compare", history, history).code == 0


def test_a_history_is_shown_by_epoch_and_judged_by_its_last_report(history: Path) -> None:
    read = History.from_json(history)
    assert neuroact("show", history) == (0, f"{read}\n", "")
    many = History((epoch, two_layers().report()) for epoch in range(25))
    many.to_json(history)
    shown = neuroact("show", history).out
    assert "20 of 25 reports; all: neuroact plot FILE, neuroact html FILE" in shown
    assert "history." not in shown
    read.to_json(history)
    assert neuroact("show", history, "--json").out == read.to_json()
    assert neuroact("show", history, "--fail-on", "dead=0.7").code == 0
    failed = neuroact("show", history, "--fail-on", "dead=0.5")
    assert failed.code == 1
    assert "60 % of lif never fired" in failed.err
    wrong = neuroact("show", history, "--operations")
    assert (wrong.code, wrong.out) == (2, "")
    assert "only its JSON shows operations" in " ".join(wrong.err.split())


def test_a_historys_page_is_written_beside_it(history: Path) -> None:
    page = history.with_suffix(".html")
    assert neuroact("html", history).err == f"Written: {page}\n"
    assert page.read_text(encoding="utf-8") == History.from_json(history).to_html()
    result = neuroact("html", history, "--costs", "HOROWITZ_45NM_FP32")
    assert result.code == 2
    assert "FILE is the history of a training" in result.err


def test_an_empty_history_has_no_page_and_no_comparison(history: Path) -> None:
    History().to_json(history)
    for command in ("html", "plot"):
        result = neuroact(command, history)
        assert result.code == 2
        assert "the history has no reports yet" in result.err
    assert "a history without reports" in neuroact("compare", history).err


def test_a_history_where_a_report_is_expected_says_what_it_is_for(history: Path) -> None:
    result = neuroact("export", history)
    assert (result.code, result.out) == (2, "")
    assert (
        "is the history of a training, of 3 reports, not a report: see neuroact show, neuroact "
        "html, neuroact compare and neuroact plot"
    ) in result.err


@pytest.mark.parametrize("command", [["plot"], ["compare"]])
def test_a_damaged_history_says_which_report_is_at_fault(command: list[str], history: Path) -> None:
    document = json.loads(history.read_text())
    document["reports"][1]["report"]["layers"][0]["events"][0] = -1
    history.write_text(json.dumps(document))
    result = neuroact(*command, history)
    assert result.code == 2
    assert result.err.startswith(f"neuroact: {history}: report 1 of the history: ")


def test_csv_is_printed_or_written_a_row_a_layer_or_a_neuron(file: Path) -> None:
    recording = recorded(4, dead=1)
    written(file, recording)
    out = file.with_suffix(".csv")
    for per, rows in (("layer", 1), ("neuron", 4)):
        text = recording.report().to_csv(per=per)  # type: ignore[arg-type]
        assert neuroact("export", file, "--per", per) == (0, text, "")
        assert neuroact("export", file, "--per", per, "-o", out).err == f"Written: {out}\n"
        assert out.read_bytes() == text.encode()
        assert len(list(csv.reader(text.splitlines()))) == rows + 1


def test_parquet_is_written_a_row_a_neuron(file: Path) -> None:
    recording = recorded(4, dead=1)
    out = file.with_suffix(".parquet")
    assert neuroact("export", written(file, recording), "--per", "neuron", "--out", out).code == 0
    rows = parquet.read_table(out).to_pylist()
    assert len(rows) == 4
    assert [row["events"] for row in rows] == recording.report()["lif"].events.tolist()


def test_a_recording_is_exported_as_a_reports_json(tmp_path: Path) -> None:
    recording = recorded(4, dead=1)
    out = tmp_path / "report.json"
    assert neuroact("export", written(tmp_path / "a.nact", recording), "--out", out).code == 0
    assert ActivityReport.from_json(out) == recording.report()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.xlsx"], "expected a name that ends in .csv, .parquet or .json"),
        (["--out", "a.json", "--per", "neuron"], "has layers, neurons and operations"),
        (["--per", "sample"], "'sample'"),
        (["--out", "nowhere/a.csv"], "nowhere"),
    ],
)
def test_an_export_that_cannot_be_is_bad_use(
    options: list[str], message: str, tmp_path: Path
) -> None:
    result = neuroact("export", written(tmp_path / "a.nact", recorded(4)), *options)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["a.nact"]
