"""Samples that a sampler repeats are counted once: masks are checked against the indices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DistributedSampler, RandomSampler

from neuroact.distributed import valid_samples


def samplers(
    size: int, ranks: int, epoch: int = 0, **options: Any
) -> list[DistributedSampler[int]]:
    """The sampler of every rank, over a data set of so many samples."""
    data: Any = range(size)
    found = [DistributedSampler(data, num_replicas=ranks, rank=r, **options) for r in range(ranks)]
    for sampler in found:
        sampler.set_epoch(epoch)
    return found


@given(
    size=st.integers(1, 40),
    ranks=st.integers(1, 9),
    shuffle=st.booleans(),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_over_all_ranks_each_sample_is_valid_once(
    size: int, ranks: int, shuffle: bool, seed: int, epoch: int
) -> None:
    counted = []
    for sampler in samplers(size, ranks, epoch, shuffle=shuffle, seed=seed):
        mask = valid_samples(sampler)
        assert mask.dtype is torch.bool
        counted += [index for index, valid in zip(sampler, mask.tolist(), strict=True) if valid]
    assert sorted(counted) == list(range(size))


@given(size=st.integers(1, 40), ranks=st.integers(1, 9), shuffle=st.booleans())
def test_a_sampler_that_drops_the_last_pads_nothing(size: int, ranks: int, shuffle: bool) -> None:
    found = samplers(size, ranks, shuffle=shuffle, drop_last=True)
    assert all(bool(valid_samples(sampler).all()) for sampler in found)
    assert all(len(valid_samples(sampler)) == len(list(sampler)) for sampler in found)


def test_the_mask_has_the_order_of_the_loader() -> None:
    sampler = samplers(7, 4)[3]
    loader = torch.utils.data.DataLoader(sampler.dataset, batch_size=1, sampler=sampler)
    masks = valid_samples(sampler).split(1)
    assert [m.tolist() for _, m in zip(loader, masks, strict=True)] == [[True], [False]]


class Mine(DistributedSampler[int]):
    def __iter__(self) -> Iterator[int]:
        return iter([0, 0])


@pytest.mark.parametrize("sampler", [Mine(range(3), 2, 0), RandomSampler(range(3))])  # type: ignore[arg-type]
def test_a_sampler_whose_padding_is_unknown_is_refused(sampler: Any) -> None:
    with pytest.raises(TypeError, match=r"(Mine|RandomSampler) .* pass the indices"):
        valid_samples(sampler)
