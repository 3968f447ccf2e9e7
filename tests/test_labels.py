"""Activity by class of the samples, against NumPy on the samples of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import neuroact
from neuroact import ActivityReport, Recording
from neuroact.errors import ChunkError
from neuroact.storage import from_bytes, to_bytes
from toy import Net, RawOutputs, ToyAdapter

batches = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=1, max_size=4),
        st.integers(0, 5),
        st.sampled_from(["binary", "graded"]),
    ),
    min_size=1,
    max_size=4,
)


def values_of(labels: list[int], steps: int, kind: str, seed: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    levels = (0.0, 1.0) if kind == "binary" else (0.0, 1.0, -0.5, 2.0)
    return rng.choice(levels, size=(steps, len(labels), 2, 3))


def recorded(batches: list[Any], seed: int, *, step_by_step: bool = False) -> Recording:
    recording = Recording()
    for number, (labels, steps, kind) in enumerate(batches):
        recording.label(labels)
        values = values_of(labels, steps, kind, seed + number)
        pieces = values[:, None] if step_by_step else [values]
        for at, piece in enumerate(pieces):
            recording.observe("lif", piece, kind=kind, starts_sequence=at == 0)
    return recording


def expected(batches: list[Any], seed: int) -> tuple[Any, Any, Any]:
    classes = max(max(labels) for labels, _, _ in batches) + 1
    seen, events = np.zeros(classes, int), np.zeros((classes, 2, 3), int)
    total = np.zeros((classes, 2, 3))
    for number, (labels, steps, kind) in enumerate(batches):
        values = values_of(labels, steps, kind, seed + number)
        for sample, label in enumerate(labels):
            seen[label] += steps
            events[label] += (values[:, sample] != 0).sum(0)
            total[label] += values[:, sample].sum(0)
    return seen, events, total


@given(batches, st.integers(0, 2**31), st.booleans())
def test_counts_by_class_are_numpys(batches: list[Any], seed: int, step_by_step: bool) -> None:
    recording = recorded(batches, seed, step_by_step=step_by_step)
    if not recording.layers:
        return
    by_class = recording.report()["lif"]["ClassActivity"]
    seen, events, total = expected(batches, seed)
    classes = by_class.classes
    np.testing.assert_array_equal(by_class.class_observations, seen[:classes])
    np.testing.assert_array_equal(by_class.class_events, events[:classes])
    np.testing.assert_array_equal(by_class.class_total, total[:classes])
    assert seen[classes:].sum() == 0


@given(batches, st.integers(0, 2**31))
def test_merging_storing_and_writing_change_nothing(batches: list[Any], seed: int) -> None:
    whole = recorded(batches, seed)
    merged = Recording()
    for number in reversed(range(len(batches))):
        merged.merge(from_bytes(to_bytes(recorded([batches[number]], seed + number))))
    ours = whole.report()["lif"]["ClassActivity"]
    assert merged.report()["lif"]["ClassActivity"] == ours
    read = ActivityReport.from_json(whole.report().to_json())
    assert read["lif"]["ClassActivity"] == ours


def test_a_labelled_models_activity_is_that_of_each_classs_raw_outputs() -> None:
    torch.manual_seed(0)
    net = Net()
    samples, labels = torch.randn(70, 6, 5), torch.tensor([0, 1, 2, 1, 0, 1])
    raw = RawOutputs(net.lif1)
    with neuroact.record(net, adapters=[ToyAdapter()]) as recording:
        recording.label(labels)
        net(samples)
    values = raw.flat().reshape(70, 6, 7)
    by_class = recording.report()["lif1"]["ClassActivity"]
    for label in range(3):
        mean = values[:, labels.numpy() == label].mean((0, 1))
        np.testing.assert_allclose(by_class.activity[label], mean, rtol=1e-15)


def test_padding_is_of_no_class() -> None:
    recording = Recording()
    recording.label([0, 1])
    with recording.valid(lengths=[3, 1]):
        recording.observe("lif", torch.ones(3, 2, 1))
    by_class = recording.report()["lif"]["ClassActivity"]
    assert by_class.class_observations.tolist() == [3, 1]
    assert by_class.class_events.tolist() == [[3], [1]]


def test_selectivity_is_leavitt_and_morcoss() -> None:
    recording = Recording()
    recording.label([0, 1, 2, 2], classes=4)
    spikes = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]).expand(2, 4, 3)
    recording.observe("lif", spikes)
    by_class = recording.report()["lif"]["ClassActivity"]
    # Activities by class: (1, 0, 1/2), (1, 1, 0) and none; the class without samples counts not.
    best, others = np.array([1, 1]), np.array([0.25, 0.5])
    assert by_class.selectivity[:2].tolist() == ((best - others) / (best + others)).tolist()
    assert np.isnan(by_class.selectivity[2])
    assert by_class.preferred.tolist() == [0, 0, -1]
    assert np.isnan(by_class.activity[3]).all()


def test_one_class_has_no_selectivity() -> None:
    recording = Recording()
    recording.label([0])
    recording.observe("lif", torch.ones(1, 1, 2))
    assert np.isnan(recording.report()["lif"]["ClassActivity"].selectivity).all()


def test_without_labels_nothing_is_counted_by_class_and_none_ends_them() -> None:
    recording = Recording()
    recording.observe("lif", torch.ones(2, 1, 1))
    assert "ClassActivity" not in recording.report()["lif"].results
    recording.label([0])
    recording.observe("lif", torch.ones(2, 1, 1))
    recording.label(None)
    recording.observe("lif", torch.ones(4, 5, 1))
    layer = recording.report()["lif"]
    assert layer["ClassActivity"].class_observations.tolist() == [2]
    assert layer.observations == 24


def test_reset_forgets_the_classes_and_keeps_the_labels() -> None:
    recording = Recording()
    recording.label([1])
    recording.observe("lif", torch.ones(2, 1, 1))
    recording.reset()
    recording.observe("lif", torch.ones(1, 1, 1))
    assert recording.report()["lif"]["ClassActivity"].class_observations.tolist() == [0, 1]


def test_labels_for_other_samples_name_the_layer() -> None:
    recording = Recording()
    recording.label([0, 1])
    with pytest.raises(ChunkError, match=r'layer "lif".*told of 2 samples, and 3 came') as caught:
        recording.observe("lif", torch.ones(2, 3, 1))
    assert caught.value.layer == "lif"


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0.5], None, r"whole numbers \[batch\], came torch.float64"),
        ([[0]], None, r"of shape \[1, 1\]; take argmax"),
        ([-1], None, "expected labels from 0, came -1"),
        ([3], 3, "below classes=3, came 3"),
    ],
)
def test_labels_that_are_none_are_refused(labels: Any, classes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recording().label(labels, classes=classes)
