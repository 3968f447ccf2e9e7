"""One report from all processes of torchrun, with the same bits as from a single process.

Each process runs its share of a data set through its copy of the network. Shares have the same
size, so the sampler repeats some samples; these are not counted. At the end all shares are added
up.

Run: torchrun --nproc-per-node=4 examples/distributed.py
or:  python examples/distributed.py
"""

from __future__ import annotations

import os

import snntorch as snn
import torch
import torch.distributed as dist
from snntorch import utils
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

import neuroact

SAMPLES, STEPS, INPUTS, HIDDEN, OUTPUTS, BATCH = 203, 25, 20, 64, 10, 16


class Spikes(Dataset[Tensor]):
    """Random spikes, `[steps, inputs]` a sample."""

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, number: int) -> Tensor:
        draw = torch.Generator().manual_seed(number)
        return (torch.rand(STEPS, INPUTS, generator=draw) < 0.25).float()


def network() -> nn.Sequential:
    """Two layers of neurons.

    The weights are multiples of 1/8, so every sum of them is exact. With other weights the last bit
    of a sum may depend on the batch size, since a library may multiply matrices in different ways.
    """
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(INPUTS, HIDDEN, bias=False), snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(HIDDEN, OUTPUTS, bias=False), snn.Leaky(beta=0.9, init_hidden=True),
    )  # fmt: skip
    for connections in (net[0], net[2]):
        connections.weight.data.mul_(16).round_().div_(8)
    return net


def main() -> None:
    """Evaluate, add up, report."""
    launched = "RANK" in os.environ  # set by torchrun
    if launched:
        dist.init_process_group("gloo")  # for GPUs: torch.cuda.set_device(...) and "nccl"
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if launched else (0, 1)

    data = Spikes()
    sampler = DistributedSampler(data, num_replicas=ranks, rank=rank, shuffle=True)
    loader = DataLoader(data, batch_size=BATCH, sampler=sampler)
    counted = neuroact.distributed.valid_samples(sampler).split(BATCH)
    net = network()

    # Nothing is trained, so DistributedDataParallel is not needed. It would not change the names.
    with torch.no_grad(), neuroact.record(net, dt=0.001) as recording:
        for batch, valid in zip(loader, counted, strict=True):
            utils.reset(net)
            with recording.batch(valid=valid):
                for step in batch.transpose(0, 1):
                    net(step)

    if launched:
        recording = neuroact.distributed.merge(recording)
    if rank == 0:
        print(recording.report())
        recording.save("activity.nact")
    if launched:
        dist.barrier()  # so that no process ends while another still needs it
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
