"""Activity by class of the samples, against NumPy on the samples of each class."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toy import Net, RawOutputs, ToyAdapter

import neuroact
from neuroact import ActivityReport, ClassActivity, Recording, SignalKind, SpikeChunk
from neuroact.errors import ChunkError
from neuroact.files.tensor_file import pack
from neuroact.testing.syncs import HostSyncs

batches = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=1, max_size=4),
        st.integers(0, 5),
        st.sampled_from(["binary", "graded"]),
    ),
    min_size=1,
    max_size=4,
)


def by_class_recording() -> Recording:
    return Recording(statistics=[ClassActivity])


def values_of(labels: list[int], steps: int, kind: str, seed: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    levels = (0.0, 1.0) if kind == "binary" else (0.0, 1.0, -0.5, 2.0)
    return rng.choice(levels, size=(steps, len(labels), 2, 3))


def recorded(batches: list[Any], seed: int, *, step_by_step: bool = False) -> Recording:
    recording = by_class_recording()
    for number, (labels, steps, kind) in enumerate(batches):
        values = values_of(labels, steps, kind, seed + number)
        pieces = values[:, None] if step_by_step else [values]
        with recording.batch(labels=labels):
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
    by_class = recording.report()["lif"][ClassActivity]
    seen, events, total = expected(batches, seed)
    classes = by_class.classes
    np.testing.assert_array_equal(by_class.class_observations, seen[:classes])
    np.testing.assert_array_equal(by_class.class_events, events[:classes])
    np.testing.assert_array_equal(by_class.class_total, total[:classes])
    assert seen[classes:].sum() == 0


@given(batches, st.integers(0, 2**31))
def test_merging_storing_and_writing_change_nothing(batches: list[Any], seed: int) -> None:
    whole = recorded(batches, seed)
    merged = by_class_recording()
    for number in reversed(range(len(batches))):
        merged.merge(Recording.from_bytes(recorded([batches[number]], seed + number).to_bytes()))
    ours = whole.report()["lif"][ClassActivity]
    assert merged.report()["lif"][ClassActivity] == ours
    read = ActivityReport.from_json(whole.report().to_json())
    assert read["lif"][ClassActivity] == ours


@given(batches, st.integers(0, 2**31))
def test_an_older_file_in_which_firing_counted_by_class_is_read(
    batches: list[Any], seed: int
) -> None:
    recording = recorded(batches, seed)
    recording.observe("other", torch.ones(1, 1, 2))  # a layer that came without labels
    ours = recording.report()
    tensors = {
        f"{number}.0.{key}": tensor
        for number, layer in enumerate(recording._layers.values())
        for statistic in layer.statistics
        for key, tensor in statistic.state_dict().items()
        if not (number and key.startswith("class_"))
    }
    document = {
        "schema": "neuroact.recording",
        "schema_version": 1,
        "dt": None,
        "origin": None,
        "statistics": ["neuroact.Firing"],
        "layers": [
            {
                "name": layer.info.name,
                "aliases": [],
                "framework": layer.info.framework,
                "layer_type": layer.info.layer_type,
                "kind": layer.info.kind.value,
                "neurons": list(layer.neurons or ()),
                "statistics": ["neuroact.Firing"],
            }
            for layer in recording._layers.values()
        ],
    }
    read = Recording.from_bytes(b"".join(pack(tensors, json.dumps(document)))).report()
    assert read["other"].events.tolist() == [1, 1]
    if "lif" in ours:
        assert read["lif"] == ours["lif"]


def test_a_labelled_models_activity_is_that_of_each_classs_raw_outputs() -> None:
    torch.manual_seed(0)
    net = Net()
    samples, labels = torch.randn(70, 6, 5), torch.tensor([0, 1, 2, 1, 0, 1])
    raw = RawOutputs(net.lif1)
    recording = neuroact.record(net, adapters=[ToyAdapter()], statistics=[ClassActivity])
    with recording, recording.batch(labels=labels):
        net(samples)
    values = raw.flat().reshape(70, 6, 7)
    by_class = recording.report()["lif1"][ClassActivity]
    for label in range(3):
        mean = values[:, labels.numpy() == label].mean((0, 1))
        np.testing.assert_allclose(by_class.activity[label], mean, rtol=1e-15)


def test_padding_belongs_to_no_class() -> None:
    recording = by_class_recording()
    with recording.batch(lengths=[3, 1], labels=[0, 1]):
        recording.observe("lif", torch.ones(3, 2, 1))
    by_class = recording.report()["lif"][ClassActivity]
    assert by_class.class_observations.tolist() == [3, 1]
    assert by_class.class_events.tolist() == [[3], [1]]


def test_selectivity_is_leavitt_and_morcoss() -> None:
    recording = Recording(statistics=[lambda: ClassActivity(4)])
    spikes = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]).expand(2, 4, 3)
    with recording.batch(labels=[0, 1, 2, 2]):
        recording.observe("lif", spikes)
    by_class = recording.report()["lif"][ClassActivity]
    # Activities by class: (1, 0, 1/2), (1, 1, 0) and none. The class without samples is left out.
    best, others = np.array([1, 1]), np.array([0.25, 0.5])
    assert by_class.selectivity[:2].tolist() == ((best - others) / (best + others)).tolist()
    assert np.isnan(by_class.selectivity[2])
    assert by_class.preferred.tolist() == [0, 0, -1]
    assert np.isnan(by_class.activity[3]).all()


def test_one_class_has_no_selectivity() -> None:
    recording = by_class_recording()
    with recording.batch(labels=[0]):
        recording.observe("lif", torch.ones(1, 1, 2))
    assert np.isnan(recording.report()["lif"][ClassActivity].selectivity).all()


def test_without_labels_nothing_is_counted_by_class_and_the_block_ends_them() -> None:
    recording = by_class_recording()
    recording.observe("lif", torch.ones(2, 1, 1))
    unlabelled = recording.report()["lif"][ClassActivity]
    assert (unlabelled.classes, unlabelled.activity.shape) == (0, (0, 1))
    assert np.isnan(unlabelled.selectivity).all()
    assert unlabelled.preferred.tolist() == [-1]
    with recording.batch(labels=[0]):
        recording.observe("lif", torch.ones(2, 1, 1))
    recording.observe("lif", torch.ones(4, 5, 1))
    layer = recording.report()["lif"]
    assert layer[ClassActivity].class_observations.tolist() == [2]
    assert layer.observations == 24


def test_labels_that_nothing_counts_by_are_refused() -> None:
    message = r"counts by class.*statistics=\[neuroact\.ClassActivity"
    with pytest.raises(ValueError, match=message), Recording().batch(labels=[0, 1]):
        pass


def test_counting_looks_at_no_values_but_the_labels() -> None:
    """The labels are on the host already, so that the number of classes is known there."""
    by_class, valid = ClassActivity(), torch.tensor([[True, False], [True, True]])
    for kind in SignalKind:
        for mask in (None, valid):
            labels = torch.tensor([3, 1])
            chunk = SpikeChunk(torch.ones(2, 2, 3), kind, True, mask, labels)
            with HostSyncs() as syncs:
                by_class.update(chunk)
            assert syncs.found == ["__int__"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1, 2]), r"int64 tensor of shape \[2\] on the CPU, came .*int64 of shape"),
        (torch.tensor([0.0, 1.0]), "came torch.float32"),
        (torch.zeros(2, dtype=torch.int64, device="meta"), "on meta"),
        (torch.tensor([0, -1]), "labels from 0, came -1"),
    ],
)
def test_labels_that_do_not_fit_a_chunk_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ChunkError, match=message):
        SpikeChunk(torch.ones(1, 2, 3), SignalKind.BINARY, True, labels=labels)


def test_reset_forgets_the_classes_and_keeps_the_labels() -> None:
    recording = by_class_recording()
    with recording.batch(labels=[1]):
        recording.observe("lif", torch.ones(2, 1, 1))
        recording.reset()
        recording.observe("lif", torch.ones(1, 1, 1))
    assert recording.report()["lif"][ClassActivity].class_observations.tolist() == [0, 1]


def test_labels_for_other_samples_name_the_layer() -> None:
    recording = by_class_recording()
    with (
        recording.batch(labels=[0, 1]),
        pytest.raises(ChunkError, match=r'layer "lif".*labels= has 2 samples, but 3') as caught,
    ):
        recording.observe("lif", torch.ones(2, 3, 1))
    assert caught.value.layer == "lif"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.5], r"whole numbers \[batch\], came torch.float64"),
        ([[0]], r"of shape \[1, 1\]; take argmax"),
        ([-1], "expected labels from 0, came -1"),
        (
            [10**13, 0],
            "expected labels below 1,048,576, came 10000000000000: .* number them from 0",
        ),
    ],
)
def test_invalid_labels_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message), by_class_recording().batch(labels=labels):
        pass


def test_a_number_of_classes_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match="to be a whole number from 0 on, came -1"):
        ClassActivity(-1)


INPUTS, LABELS = torch.ones(3, 4), torch.tensor([0, 2, 2])


def measured_classes(batch: Any, **options: Any) -> list[int]:
    report = neuroact.measure(
        nn.Sequential(nn.ReLU()), [batch], layers="0", statistics="ClassActivity", **options
    )
    found: list[int] = report["0"][ClassActivity].class_observations.tolist()
    return found


@pytest.mark.parametrize("labels", [LABELS, LABELS.to(torch.uint8)])
@pytest.mark.parametrize("pair", [tuple, list])
def test_measure_labels_a_batch_that_is_a_pair_with_whole_numbers(pair: Any, labels: Any) -> None:
    assert measured_classes(pair([INPUTS, labels])) == [1, 0, 2]


@pytest.mark.parametrize(
    "batch",
    [
        INPUTS,
        (INPUTS,),
        (INPUTS, LABELS, LABELS),
        (INPUTS, LABELS.float()),
        (INPUTS, LABELS.bool()),
        (INPUTS, LABELS[:, None]),
        (INPUTS, [0, 2, 2]),
    ],
)
def test_measure_takes_no_other_batch_for_labels(batch: Any) -> None:
    assert measured_classes(batch) == []


def test_measure_leaves_the_labels_to_run_where_it_is_given() -> None:
    assert measured_classes((INPUTS, LABELS), run=lambda model, batch: model(batch[0])) == []


def test_measure_without_class_activity_takes_a_pair_as_before() -> None:
    report = neuroact.measure(nn.Sequential(nn.ReLU()), [(INPUTS, LABELS)], layers="0")
    assert report["0"].observations == 3
