"""Sequences of unequal length have the same figures in one padded batch and each alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toy import Net, ToyAdapter

import neuroact
from neuroact import InterspikeIntervals, Recording, SpikeCounts, Synchrony, TimeCourse
from neuroact.errors import ChunkError

STATISTICS = [InterspikeIntervals, SpikeCounts, Synchrony, TimeCourse]
lengths_of_batches = st.lists(st.integers(0, 6), min_size=1, max_size=5)


def figures(recording: Recording) -> Any:
    report = recording.report()
    return report, [dict(layer.results) for layer in report.values()]


def one_by_one(spikes: torch.Tensor, lengths: list[int]) -> Recording:
    """Each sample's valid steps."""
    recording = Recording(statistics=STATISTICS)
    for sample, length in enumerate(lengths):
        if length:
            recording.observe("lif", spikes[:length, sample : sample + 1])
    return recording


def batch(seed: int, lengths: list[int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(6, len(lengths), 3, generator=generator) < 0.4).float()


@given(lengths_of_batches, st.integers(0, 2**31), st.booleans())
def test_a_padded_batch_with_lengths_counts_as_its_samples_alone(
    lengths: list[int], seed: int, by_mask: bool
) -> None:
    spikes = batch(seed, lengths)
    padded = Recording(statistics=STATISTICS)
    mask = np.arange(6)[:, None] < np.array(lengths)
    told = padded.batch(valid=mask) if by_mask else padded.batch(lengths=lengths)
    with told:
        padded.observe("lif", torch.where(torch.tensor(mask)[..., None], spikes, torch.nan))
    if any(lengths):
        assert figures(padded) == figures(one_by_one(spikes, lengths))
    else:
        assert padded.report()["lif"].sequences == 0


@given(lengths_of_batches, st.integers(0, 2**31))
def test_step_by_step_is_the_same_as_the_whole(lengths: list[int], seed: int) -> None:
    spikes = batch(seed, lengths)
    whole, stepped = Recording(statistics=STATISTICS), Recording(statistics=STATISTICS)
    with whole.batch(lengths=lengths):
        whole.observe("lif", spikes)
    with stepped.batch(lengths=lengths):
        for number, step in enumerate(spikes):
            stepped.observe("lif", step[None], starts_sequence=number == 0)
    assert figures(stepped) == figures(whole)


def test_a_models_padded_batch_counts_as_its_samples_run_alone() -> None:
    torch.manual_seed(0)
    net, x, lengths = Net(), torch.randn(8, 3, 5), [8, 5, 2]
    with neuroact.record(net, adapters=[ToyAdapter()], statistics=STATISTICS) as padded:
        with padded.batch(lengths=lengths):
            net(x)
        net(x[:, :1])  # after the block no step is padding
    with neuroact.record(net, adapters=[ToyAdapter()], statistics=STATISTICS) as alone:
        for sample, length in enumerate(lengths):
            net(x[:length, sample : sample + 1])
        net(x[:, :1])
    assert figures(padded) == figures(alone)


def test_a_mask_of_samples_holds_at_all_steps_and_its_padding_is_no_sequence() -> None:
    recording = Recording()
    with recording.batch(valid=[True, False, True]):
        recording.observe("lif", torch.ones(4, 3, 2))
    layer = recording.report()["lif"]
    assert (layer.observations, layer.sequences, layer.events.tolist()) == (8, 2, [8, 8])


def test_a_sequence_begins_with_its_first_valid_step_however_it_is_cut() -> None:
    mask = torch.tensor([[False, True], [True, True], [True, False]])
    for pieces in ([slice(0, 3)], [slice(0, 1), slice(1, 3)]):
        recording = Recording()
        with recording.batch(valid=mask):
            for number, piece in enumerate(pieces):
                recording.observe("lif", torch.ones(3, 2, 1)[piece], starts_sequence=number == 0)
        assert recording.report()["lif"].sequences == 2


def test_an_inner_block_ends_with_the_outer_one_in_force_again() -> None:
    recording = Recording()
    with recording.batch(lengths=[1]):
        with recording.batch(lengths=[2]):
            recording.observe("lif", torch.ones(3, 1, 1))
        recording.observe("lif", torch.ones(3, 1, 1))
    assert recording.report()["lif"].observations == 3


def test_a_mask_that_does_not_fit_is_refused_with_the_layers_name_and_counts_nothing() -> None:
    net = nn.Sequential(nn.ReLU())
    with neuroact.record(net, layers="0", axes="TBN") as recording:
        net(torch.ones(2, 3, 4))
        before = recording.report()
        with (
            recording.batch(lengths=[1, 2]),
            pytest.raises(ChunkError, match=r'layer "0".*has 2 samples, but 3 came') as caught,
        ):
            net(torch.ones(2, 3, 4))
        with (
            recording.batch(valid=torch.ones(1, 3, dtype=torch.bool)),
            pytest.raises(ChunkError, match=r"has 1 steps, but step 1 came"),
        ):
            net(torch.ones(2, 3, 4))
        assert caught.value.layer == "0"
        assert recording.report() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "says nothing of the batch"),
        ({"valid": [True], "lengths": [1]}, "came both or neither"),
        ({"valid": [1, 0]}, r"expected valid= to be bool.*came torch.int64"),
        ({"valid": np.ones((2, 2, 2), bool)}, r"came torch.bool of shape \[2, 2, 2\]"),
        ({"lengths": [1.5]}, r"whole numbers \[batch\], came torch.float64"),
        ({"lengths": [True]}, r"whole numbers \[batch\], came torch.bool"),
    ],
)
def test_an_invalid_mask_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message), Recording().batch(**arguments):
        pass
