"""Peak memory of a process after more and more batches, for each way to watch a network.

The network is small, so that ways that keep every spike come to an end: a hundred neurons, 10 steps
of 4 samples, 16 kB of spikes a batch.

Run: python tests/benchmarks/growth.py WAY, for one way, in this process
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import torch
from networks import snntorch_case
from peak import most_held
from ways import WAYS, Way, bare, workshop

BATCHES = (10, 100, 1000)
# One metric over all batches; for timing there is a new one for each batch.
KEPT: dict[str, Way] = {
    "bare": bare,
    **{name: way for name, way in WAYS.items() if way is not bare},
    "workshop metric": partial(workshop, goes_on=True),
}


def peaks(name: str) -> list[int]:
    """Peak memory in bytes after each number of batches."""
    case, found = snntorch_case(100, 100, steps=10, batch=4), []
    with torch.no_grad(), KEPT[name](case) as after_batch:
        for number in range(1, BATCHES[-1] + 1):
            case.run(case.net, case.x)
            after_batch()
            if number in BATCHES:
                found.append(most_held())
    return found


def growth(name: str) -> list[int] | None:
    """Bytes more than after the first batches, in a fresh process; None if it fails."""
    done = subprocess.run([sys.executable, "-W", "ignore", __file__, name], capture_output=True)
    if done.returncode:
        return None
    first, *later = json.loads(done.stdout)
    return [peak - first for peak in later]


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(json.dumps(peaks(sys.argv[1])))
