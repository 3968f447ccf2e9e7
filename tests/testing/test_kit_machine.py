"""A recording that is driven at random never differs from a model that keeps everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from neuroact.recording import recording as recording_module
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.recording import Recording
from neuroact.recording.watched_layer import WatchedLayer
from neuroact.testing import RecordingMachine

TestRecording = RecordingMachine.TestCase
TestRecording.settings = settings(stateful_step_count=15)

DRAWN = settings(
    max_examples=1000,
    derandomize=True,
    stateful_step_count=20,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def nothing(*args: Any, **kwargs: Any) -> None:
    """Replaces a method, and does nothing."""


def reset_but_one(recording: Recording) -> None:
    for layer in list(recording._layers.values())[1:]:
        layer.reset()


@pytest.mark.parametrize(
    ("owner", "verb", "wrong"),
    [
        (LayerRecorder, "begin_sequence", nothing),
        (LayerRecorder, "enter", nothing),
        (WatchedLayer, "unwatch", nothing),
        (recording_module, "merge_layer", nothing),
        (Recording, "reset", reset_but_one),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_recording_whose_verb_is_wrong_is_found_out(
    owner: Any, verb: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, verb, wrong)
    with pytest.raises(AssertionError, match="recording"):
        run_state_machine_as_test(RecordingMachine, settings=DRAWN)
