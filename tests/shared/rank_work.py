"""What the ranks do in the tests of `neuroact.distributed`; `torchrun` runs it.

Each case is a function of a rank and the number of ranks. What it returns goes into a file of the
rank's own: a recording as `<case>.<rank>.nact`, anything else as `<case>.<rank>.json`.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.fsdp.wrap import always_wrap_policy
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler
from toy import Net, ToyAdapter

import neuroact
from neuroact import Recording, SpikeChunk
from neuroact.distributed import ranks
from neuroact.errors import RankError

TIMEOUT = 15.0  # seconds, of the groups in which a rank is lost; torchrun ends all after 30


class Steps:
    """A user's own statistic: how many steps came."""

    def __init__(self) -> None:
        self.steps = torch.tensor(0)

    def update(self, chunk: SpikeChunk) -> None:
        self.steps += chunk.steps

    def merge(self, other: Steps) -> None:
        self.steps += other.steps

    def reset(self) -> None:
        self.steps.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        return {"steps": self.steps.clone()}

    def load_state_dict(self, state: Any) -> None:
        self.steps = state["steps"].clone()

    def result(self) -> int:
        return int(self.steps)


def statistics() -> list[Any]:
    """Every statistic of neuroact's, and a user's own."""
    found = (getattr(neuroact.statistics, name) for name in neuroact.statistics.__all__)
    ours = [c for c in found if isinstance(c, type) and hasattr(c, "update")]
    return [*(c for c in ours if not getattr(c, "_is_protocol", False)), Steps]


def batches() -> list[Tensor]:
    """Batches of unequal length and size, `[time, batch, inputs]`."""
    torch.manual_seed(7)
    sizes = [(6, 3), (4, 1), (6, 2), (1, 4), (9, 3), (5, 0), (2, 2), (7, 3), (3, 1)]
    return [torch.randn(steps, batch, 5) for steps, batch in sizes]


def recorded(numbers: list[int], *, operations: bool = False) -> Recording:
    """What a process over these batches records."""
    torch.manual_seed(0)
    net, data = Net(), batches()
    options: Any = {"statistics": statistics(), "operations": operations}
    with neuroact.record(net, adapters=[ToyAdapter()], **options) as recording:
        for number in numbers:
            net(data[number])
    return recording


def share(rank: int, size: int) -> list[int]:
    """The batches of a rank: not those of the next rank, and not the same number."""
    return list(range(rank, len(batches()), size))


def spikes(name: str, neurons: int = 3, **options: Any) -> Recording:
    """A recording of one layer that was fed by hand."""
    recording = Recording(**options)
    recording.observe(name, (torch.arange(6 * neurons) % 4 == 0).float().reshape(3, 2, neurons))
    return recording


def whole(rank: int, size: int) -> Recording:
    """Each rank has a part of the data."""
    recording = recorded(share(rank, size), operations=True)
    before = recording.to_bytes()
    merged = neuroact.distributed.merge(recording)
    assert recording.to_bytes() == before, "merging changed the rank's own recording"
    return merged


def in_pieces(rank: int, size: int) -> Recording:
    """The same, with messages cut into small pieces."""
    ranks.PIECE = 1000
    try:
        return whole(rank, size)
    finally:
        ranks.PIECE = 2**26


def no_data_on_rank_0(rank: int, size: int) -> Recording:
    """The first rank's loader was empty."""
    return neuroact.distributed.merge(recorded(share(rank, size) if rank else []))


def no_layers_on_rank_1(rank: int, size: int) -> Recording:
    """The second rank has a recording of nothing."""
    mine = recorded(share(rank, size)) if rank != 1 else Recording(statistics=statistics())
    return neuroact.distributed.merge(mine)


def own_layers(rank: int, size: int) -> Recording:
    """Every rank has a layer of its own, and one that all ranks have."""
    return neuroact.distributed.merge(layers_of(rank))


def layers_of(rank: int) -> Recording:
    """The recording of a rank in `own_layers`."""
    recording = spikes("shared")
    recording.observe(f"of rank {rank}", torch.ones(2, 1 + rank, 4), kind="graded")
    return recording


def while_open(rank: int, size: int) -> Recording:
    """Merged several times while recording continues; earlier counts are in each result once."""
    torch.manual_seed(0)
    net, data, mine = Net(), batches(), share(rank, size)
    options: Any = {"statistics": statistics(), "operations": True}
    with neuroact.record(net, adapters=[ToyAdapter()], **options) as recording:
        for turn in range(len(share(0, size))):
            neuroact.distributed.merge(recording)
            for number in mine[turn : turn + 1]:
                net(data[number])
        return neuroact.distributed.merge(recording)


def groups(rank: int, size: int) -> Recording:
    """Three of four ranks; the fourth one does not take part."""
    members = [0, 1, 3]
    group = dist.new_group(members)
    if rank in members:
        return neuroact.distributed.merge(recorded(share(rank, size)), group)
    try:
        neuroact.distributed.merge(recorded([]), group)
    except RuntimeError as error:
        if "not a member of the group" in str(error):
            return recorded([])
        raise
    raise AssertionError("this was to fail")


def indices(rank: int, size: int) -> list[Any]:
    """The samples that each rank runs, and which of them are counted."""
    mine = [[3, 1, 4], [], [1, 5, 9, 2], [6, 5, 3, 5]]
    found = [mine[rank], list(range(rank, rank + 1000)), [7] * rank, torch.arange(3) + rank]
    return [
        [torch.as_tensor(given).tolist(), neuroact.distributed.valid_samples(given).tolist()]
        for given in found
    ]


# Numbers of samples, none divisible by two, and options of the sampler.
PADDED = {
    "in order": (13, {"shuffle": False}),
    "shuffled": (13, {"shuffle": True, "seed": 3}),
    "dropped": (13, {"shuffle": True, "seed": 3, "drop_last": True}),
    "fewer samples than ranks": (1, {"shuffle": False}),
}


def padded(rank: int, size: int) -> dict[str, str]:
    """A data set through `DistributedSampler`; each sample that it keeps is counted once."""
    found = {}
    for name, (samples, options) in PADDED.items():
        data: Any = range(samples)
        sampler = DistributedSampler(data, num_replicas=size, rank=rank, **options)
        valid = neuroact.distributed.valid_samples(sampler)
        mine = neuroact.distributed.merge(evaluated(list(sampler), 2, valid))
        found[name] = base64.b64encode(mine.to_bytes()).decode()
    return found


def evaluated(numbers: list[int], batch_size: int, valid: Tensor | None = None) -> Recording:
    """What is recorded of these samples of a data set, in batches."""
    torch.manual_seed(0)
    net = Net()
    for parameter in net.parameters():  # so that sums are exact, whichever samples are in a batch
        parameter.data.mul_(16).round_().div_(8)
    if valid is None:
        valid = torch.ones(len(numbers), dtype=torch.bool)
    parts = list(zip(torch.tensor(numbers).split(batch_size), valid.split(batch_size), strict=True))
    # A raster shows the first samples, and which come first depends on the ranks.
    exact = [c for c in statistics() if c not in (Steps, neuroact.statistics.Raster)]
    with neuroact.record(net, adapters=[ToyAdapter()], statistics=exact) as recording:
        for samples, mask in parts if numbers else []:
            with recording.batch(valid=mask):
                net(torch.stack([sample(int(number)) for number in samples], 1))
    return recording


def sample(number: int) -> Tensor:
    """One sample of the data set, `[time, inputs]`."""
    draw = torch.Generator().manual_seed(number)
    return (torch.rand(7, 5, generator=draw) < 0.4).float()


def wrapped(rank: int, size: int) -> dict[str, Any]:
    """One training step of the same network, bare and in each wrapper that works without a GPU."""
    return {name: trained(wrap) for name, wrap in WRAPPERS.items()}


def trained(wrap: Callable[[nn.Module], nn.Module]) -> dict[str, Any]:
    """The recording of a step, and its gradients with and without a recording."""
    gradients = []
    for layers in ("lif*", ["lif1"]):
        torch.manual_seed(0)
        net = wrap(Net())
        options: Any = {"layers": layers, "operations": layers == "lif*"}
        with neuroact.record(net, adapters=[ToyAdapter()], **options) as recording:
            if layers != "lif*":
                recording.pause()
            net(batches()[0]).sum().backward()
        gradients.append([_whole(p.grad).tolist() for p in net.parameters() if p.grad is not None])
        if layers == "lif*":
            report = recording.report()
    return {
        "model": report.origin["model"],
        "layers": {
            name: [layer.layer_type, layer.sequences, layer.events.tolist()]
            for name, layer in report.items()
        },
        "operations": {name: layer.effective for name, layer in report.operations.items()},
        "not counted": dict(report.operations.not_counted),
        "same gradients": bool(gradients[0]) and gradients[0] == gradients[1],
    }


def _whole(gradient: Any) -> Tensor:
    return gradient.full_tensor() if isinstance(gradient, DTensor) else gradient


def _fsdp2(net: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for module in [*net.children(), net]:
        fully_shard(module, mesh=mesh)
    return net


def _fsdp1(net: nn.Module) -> nn.Module:
    return FullyShardedDataParallel(
        net, device_id=torch.device("cpu"), auto_wrap_policy=always_wrap_policy
    )


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "bare": lambda net: net,
    "DDP": DistributedDataParallel,
    "DDP of compiled": lambda net: DistributedDataParallel(torch.compile(net, backend="eager")),
    "FSDP2": _fsdp2,
    "FSDP1": _fsdp1,
}


def failures(rank: int, size: int) -> dict[str, Any]:
    """Recordings that cannot be merged; after each the group still works."""
    last = rank == size - 1
    long = Recording()
    long.observe("x" * 5000, torch.ones(1, 1, 1))
    tried: dict[str, Any] = {
        "neurons": spikes("lif", 3 + last),
        "dt": spikes("lif", dt=0.001 if last else None),
        "statistics": spikes("lif", statistics=[Steps] if last else None),
        "name": long if last else spikes("lif"),
        "nothing": None if last else spikes("lif"),
        "all": None,
    }
    found = {}
    for name, recording in tried.items():
        found[name] = error_of(lambda recording=recording: neuroact.distributed.merge(recording))
        merged = neuroact.distributed.merge(spikes("lif"))
        assert merged.report()["lif"].sequences == 2 * size
    found["indices"] = error_of(lambda: neuroact.distributed.valid_samples([0.5] if last else [1]))
    return found


def error_of(work: Callable[[], Any]) -> dict[str, Any]:
    """The error that the work ends with."""
    try:
        work()
    except RankError as error:
        return {
            "message": str(error),
            "layer": error.layer,
            "rank": error.rank,
            "cause": type(error.__cause__).__name__,
        }
    raise AssertionError("this was to fail")


def lost(rank: int, size: int) -> Any:
    """Groups of two that lose one: it raises, is killed, hangs, or is killed in the middle."""
    # torchrun ends the other ranks when one fails. Here they have to notice it themselves.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    patience = datetime.timedelta(seconds=TIMEOUT)
    pairs = [dist.new_group([a, a + 1], timeout=patience) for a in range(0, size, 2)]
    group, fate = pairs[rank // 2], FATES[rank // 2]
    recording = recorded(share(rank, size))
    neuroact.distributed.merge(recording, group)  # so that they are connected
    if rank % 2:
        fate()
    return error_of(lambda: neuroact.distributed.merge(recording, group))


def _raise() -> None:
    raise ValueError("the loop of this rank failed")


def _hang() -> None:
    """Wait until the other rank has given up and said what it found, without a clock of our own."""
    told = Path(sys.argv[1], f"lost.{dist.get_rank() - 1}.json")
    while not told.exists():
        time.sleep(0.1)
    raise SystemExit(3)


def _be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _be_killed_while_sending() -> None:
    ranks.Ranks.pass_on = lambda *args, **kwargs: _be_killed()  # type: ignore[assignment]


# By the position of the pair that loses a rank in this way.
FATES = [_raise, _be_killed, _hang, _be_killed_while_sending]


def main(folder: str, *cases: str) -> None:
    """Run the cases of these names."""
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=600))
    rank, size = dist.get_rank(), dist.get_world_size()
    for case in cases:
        result = globals()[case](rank, size)
        path = Path(folder) / f"{case}.{rank}"
        if isinstance(result, Recording):
            path.with_name(f"{path.name}.nact").write_bytes(result.to_bytes())
        else:
            path.with_name(f"{path.name}.json").write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # FSDP and lost ranks leave threads behind, on which an orderly end would hang


if __name__ == "__main__":
    main(*sys.argv[1:])
