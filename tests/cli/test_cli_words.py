"""What the library says of its arguments, the command says of its options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from command import neuroact

from neuroact import Recording
from neuroact.cli.words import in_options

EVALUATION = """
import torch
from torch import nn
import snntorch

class Pair(nn.Module):
    def forward(self, x):
        return x, {"of": x}

def none():
    return nn.Sequential(nn.Linear(3, 3)), [torch.rand(2, 3)]

def pair():
    return nn.Sequential(Pair()), [torch.rand(2, 3)]

def relu():
    return nn.Sequential(nn.ReLU()), [torch.rand(4, 2, 3)]

def lif():
    return nn.Sequential(snntorch.Leaky(beta=0.9, init_hidden=True)), [torch.rand(2, 3)]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a function that `run` takes, and two reports."""
    (tmp_path / "words_evaluation.py").write_text(EVALUATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("lif", "relu"):
        recording = Recording()
        recording.observe(name, torch.ones(2, 2, 3))
        recording.report().to_json(tmp_path / f"{name}.json")
    return tmp_path


@pytest.mark.filterwarnings("default::neuroact.errors.AssumedAxesWarning")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run words_evaluation:none", "neuroact run TARGET --layers name --axes TBN --kind binary"),
        ("run words_evaluation:pair --layers 0", "say where the values are, such as --values 0"),
        ("run words_evaluation:pair --layers x*", "--layers 'x*' matches no module"),
        ("run words_evaluation:relu --layers 0", "If that is right, say --axes BN; if not,"),
        ("run words_evaluation:lif --axes XY", "Invalid value for --axes: expected --axes to hold"),
        ("run words_evaluation:lif --kind bin", 'expected --kind to be "binary"'),
        ("run words_evaluation:lif --axes BN", "--axes says how modules are read that no adapter"),
        (
            "run words_evaluation:lif --statistics Raster --statistics Raster",
            "--statistics has two",
        ),
        ("plot lif.json --kind raster", "Record them: neuroact run TARGET --statistics Raster"),
        ("show lif.json --operations", "record them by neuroact run TARGET --operations"),
        ("compare lif.json relu.json", "with --map 'name in the first=name in the other'"),
        ("compare lif.json lif.json --label a", "expected --label to be 2 different names"),
    ],
)
def test_advice_names_options_and_not_arguments(
    arguments: str, said: str, here: Path, recwarn: Any
) -> None:
    result = neuroact(*arguments.split())
    text = " ".join(result.err.split())
    assert said in text
    assert "Traceback" not in text
    assert not re.search(r"\b[a-z]+=(?!name in)", text.partition("in Python, ")[0])
    assert not [w for w in recwarn if "neuroact" in str(w.category)]


def test_what_no_option_says_is_called_python() -> None:
    options = {"layers": "--layers", "axes": "--axes", "statistics": "--statistics"}
    for message, said in {
        'record(model, of="input")': 'in Python, record(model, of="input")',
        'layers={"fc": neuroact.Reading(places=2)}, or': "in Python, {}",
        "statistics=[neuroact.Raster(3)]": "in Python, {}",
        "neuroact.record(model, statistics=[A]) or neuroact.measure(…, statistics=[A])": (
            "neuroact run TARGET --statistics A"
        ),
        "statistics=[A, B], layers='a b', axes=": (
            "--statistics A --statistics B, --layers 'a b', --axes"
        ),
        "dead=0.3, --axes=BN and bin_width=3 stay": "{}",
    }.items():
        assert in_options(message, options, options) == said.format(message)
