"""Merging over ranks started by `torchrun` is exact on every rank, and leaves no rank waiting."""

from __future__ import annotations

import base64
import re
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from rank_work import (
    FATES,
    PADDED,
    Steps,
    evaluated,
    layers_of,
    recorded,
    spikes,
    statistics,
)
from torch.distributed.distributed_c10d import Backend, BackendConfig
from torch.utils.data import DistributedSampler
from torchrun import Launch, launch

import neuroact
from neuroact import Recording
from neuroact.distributed.ranks import device_of

CASES = [
    "whole",
    "in_pieces",
    "no_data_on_rank_0",
    "no_layers_on_rank_1",
    "own_layers",
    "while_open",
    "padded",
    "indices",
    "failures",
]


@pytest.fixture(scope="module", params=[2, 4])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """All cases for one number of ranks in one run, since starting processes takes the longest."""
    more = ["groups"] if request.param == 4 else ["wrapped"]
    return launch(request.param, tmp_path_factory.mktemp("ranks"), *CASES, *more)


def figures(recording: Recording) -> dict[str, Any]:
    """Every layer, with the results of each of its statistics, in plain values."""
    return {
        name: [layer.info, layer.neurons, [plain(s.result()) for s in layer.statistics]]
        for name, layer in recording._layers.items()
    }


def plain(result: Any) -> Any:
    if not is_dataclass(result):
        return result
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {
        name: (value.dtype.str, value.tolist()) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }


def merged(ran: Launch, case: str) -> Recording:
    """The result of a case, which must be the same on all ranks."""
    first, *others = ran.bytes_of(case)
    assert all(other == first for other in others), "the ranks have different recordings"
    return Recording.from_bytes(first, statistics=[Steps])


@pytest.mark.parametrize("case", ["whole", "in_pieces", "while_open", "no_layers_on_rank_1"])
def test_every_rank_has_the_figures_of_one_process_over_all_the_data(
    ran: Launch, case: str
) -> None:
    numbers = list(range(9))
    if case == "no_layers_on_rank_1":
        numbers = [n for n in numbers if n % ran.size != 1]
    has_operations = case != "no_layers_on_rank_1"
    alone, together = recorded(numbers, operations=has_operations), merged(ran, case)
    assert figures(together) == figures(alone)
    assert together.report() == alone.report()
    if has_operations:
        assert together.report().operations == alone.report().operations
        assert list(alone.report().operations) == ["fc1", "fc2"]
    assert len(alone.report()["lif1"].results) + 1 == len(statistics())
    assert alone.report()["lif1"].events.min() < alone.report()["lif1"].events.max()


def test_a_rank_without_data_adds_nothing_and_gets_all(ran: Launch) -> None:
    alone = recorded([n for n in range(9) if n % ran.size])
    together = merged(ran, "no_data_on_rank_0")
    assert figures(together) == figures(alone)
    assert together.report() == alone.report()


def test_layers_that_only_some_ranks_have_are_kept_in_the_order_of_the_ranks(ran: Launch) -> None:
    alone = layers_of(0)
    for rank in range(1, ran.size):
        alone.merge(layers_of(rank))
    together = merged(ran, "own_layers")
    assert figures(together) == figures(alone)
    assert list(together.layers) == ["shared", *(f"of rank {r}" for r in range(ran.size))]
    assert together.report()["shared"].sequences == 2 * ran.size


def test_a_merged_recording_is_closed(ran: Launch) -> None:
    with pytest.raises(neuroact.errors.RecordingClosedError):
        merged(ran, "whole").resume()


@pytest.mark.parametrize("ran", [4], indirect=True)
def test_a_group_of_some_ranks_merges_theirs_alone(ran: Launch) -> None:
    first, *others = (ran.bytes_of("groups")[rank] for rank in (0, 1, 3))
    assert others == [first, first]
    alone = recorded([n for n in range(9) if n % 4 != 2])
    assert figures(Recording.from_bytes(first, statistics=[Steps])) == figures(alone)


@pytest.mark.parametrize(
    ("tried", "layer", "message"),
    [
        (
            "neurons",
            "lif",
            r'came from rank .*layer "lif".*shape \[4\] to .*shape \[3\]',
        ),
        ("dt", None, r"records with dt=0.001 and .*, and rank 0 with dt=None"),
        ("statistics", None, r"statistics Firing, Steps, and rank 0 .*statistics Firing:"),
        ("name", "x" * 5000, r"the name 'x+'\.\.\. has 5,000 characters"),
        ("nothing", None, r"TypeError: expected a Recording to merge, came NoneType"),
        ("all", None, r"came NoneType.* Ranks that failed: 0, 1"),
        ("indices", None, r"TypeError: expected a DistributedSampler.*came list of float64"),
    ],
)
def test_what_fails_on_one_rank_fails_on_all_with_its_message(
    ran: Launch, tried: str, layer: str | None, message: str
) -> None:
    found = [values[tried] for values in ran.values_of("failures")]
    said = found[0]["message"]
    assert re.search(message, said), said
    assert said.startswith(f"rank {found[0]['rank']} of {ran.size} failed")
    for rank, error in enumerate(found):
        assert (error["message"], error["rank"]) == (said, found[0]["rank"])
        assert error["layer"] == layer
        failed_here = rank == error["rank"] or tried == "all"
        assert (error["cause"] != "NoneType") is failed_here, "only there is the cause at hand"


@pytest.mark.parametrize("name", PADDED)
def test_samples_that_the_sampler_repeats_are_counted_once(ran: Launch, name: str) -> None:
    first, *others = (values[name] for values in ran.values_of("padded"))
    assert all(other == first for other in others)
    together = Recording.from_bytes(base64.b64decode(first))
    samples, options = PADDED[name]
    data: Any = range(samples)
    kept = {
        number
        for rank in range(ran.size)
        for number in DistributedSampler(data, num_replicas=ran.size, rank=rank, **options)
    }
    alone = evaluated(sorted(kept), batch_size=5)
    assert figures(together) == figures(alone)
    assert together.report()["lif1"].sequences == len(kept)
    assert len(kept) == (samples if "drop_last" not in options else 12)


def test_of_an_index_that_several_ranks_have_the_first_counts(ran: Launch) -> None:
    for tried in zip(*ran.values_of("indices"), strict=True):
        seen: set[int] = set()
        for given, valid in tried:
            for index, counted in zip(given, valid, strict=True):
                assert counted is (index not in seen)
                seen.add(index)


@pytest.mark.parametrize("ran", [2], indirect=True)
@pytest.mark.parametrize("wrapper", ["DDP", "DDP of compiled", "FSDP2", "FSDP1"])
def test_a_wrapped_model_has_the_names_and_figures_of_the_bare_one(
    ran: Launch, wrapper: str
) -> None:
    for values in ran.values_of("wrapped"):
        wrapped, bare = values[wrapper], values["bare"]
        if wrapper.startswith("FSDP"):  # frees or splits the weights, from which a fan-out follows
            assert wrapped["operations"].keys() | wrapped["not counted"].keys() >= {"fc1", "fc2"}
            assert wrapped["operations"].items() <= bare["operations"].items()
            wrapped |= {name: bare[name] for name in ("operations", "not counted")}
        assert wrapped == bare
        assert all(bare["operations"].values())
        assert values["bare"]["model"] == "toy.Net"
        assert list(values["bare"]["layers"]) == ["lif1", "lif2"]
        assert values["bare"]["same gradients"]


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    return launch(8, tmp_path_factory.mktemp("lost"), "lost")


@pytest.mark.parametrize("pair", range(len(FATES)), ids=[fate.__name__ for fate in FATES])
def test_a_rank_that_is_lost_fails_the_others_before_it_is_gone(lost: Launch, pair: int) -> None:
    error = lost.value_of("lost", 2 * pair)
    assert re.match(
        r"rank 0 of 2 could not exchange data with the others: a rank ended, hangs, or never made "
        r"the same call within the group's timeout.*(Connection closed|reset by peer|Timed out)",
        error["message"],
    )
    assert not (lost.folder / f"lost.{2 * pair + 1}.json").exists(), "that rank was to be lost"
    assert lost.status != 0


@pytest.mark.parametrize(
    ("backend", "device"),
    [("gloo", "cpu"), ("nccl", "cuda:1"), ("cpu:gloo,cuda:nccl", "cpu"), ("undefined", "cpu")],
)
def test_tensors_are_on_the_device_that_the_backend_takes(
    backend: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = str(BackendConfig(Backend(backend)))
    monkeypatch.setattr("torch.distributed.get_backend_config", lambda group: config)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 1)
    assert device_of(None) == torch.device(device)


def test_without_a_process_group_it_says_how_to_get_one() -> None:
    with pytest.raises(RuntimeError, match=r"start the script with torchrun and call"):
        neuroact.distributed.merge(spikes("lif"))
