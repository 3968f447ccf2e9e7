"""What training changes in the hidden layers of a network in JAX: Spyx, observed by neuroact.

Each spiking layer's output leaves the compiled scan, and is read where it lies in memory.

Run: python examples/jax_network.py (needs jax, flax, optax and spyx)
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import spyx
import spyx.nn
from flax import nnx

import neuroact
from neuroact import ActivityReport, Recording, TimeCourse

STEPS, CLASSES, INPUTS = 40, 4, 24


class Seen(spyx.nn.Sequential):
    """A Sequential that hands out what each spiking layer emits, the last one's under "out"."""

    def __call__(self, x: Any, state: list[Any]) -> tuple[dict[str, Any], list[Any]]:
        """One step: the spikes by layer, and the states after it."""
        spikes, after = {}, []
        for number, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            x, new = (layer(x), None) if before is None else layer(x, before)
            after.append(new)
            if before is not None:
                name = "out" if number == len(self.layers) - 1 else f"hidden{number // 2}"
                spikes[name] = x
        return spikes, after


def network() -> Seen:
    """Two hidden layers and one output neuron for each class."""
    rngs, sizes = nnx.Rngs(0), (INPUTS, 48, 32, CLASSES)
    layers: list[Any] = []
    for before, size in pairwise(sizes):
        layers += [
            nnx.Linear(before, size, rngs=rngs),
            spyx.nn.LIF((size,), beta=0.9, rngs=rngs),
        ]
    return Seen(*layers)


def patterns(samples: int, seed: int) -> tuple[Any, Any]:
    """Noisy spikes `[time, batch, inputs]`, and the class of each sample: who fires more."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, samples)
    rates = np.where(np.arange(INPUTS) % CLASSES == labels[:, None], 0.4, 0.1)
    return jnp.asarray(rng.random((STEPS, samples, INPUTS)) < rates, jnp.float32), labels


@nnx.jit
def run(model: Seen, inputs: Any) -> dict[str, Any]:
    """The spikes of each layer, `[time, batch, neurons]`."""
    spikes: dict[str, Any] = spyx.nn.run(model, inputs)[0]
    return spikes


@nnx.jit
def learn(model: Seen, optimizer: Any, inputs: Any, labels: Any) -> Any:
    """One step of training; the loss before it."""

    def loss(model: Seen) -> Any:
        counts = spyx.nn.run(model, inputs)[0]["out"].sum(0)
        return optax.softmax_cross_entropy_with_integer_labels(counts, labels).mean()

    value, gradients = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradients)
    return value


def observed(model: Seen, inputs: Any) -> ActivityReport:
    """What the layers do with these inputs."""
    recording = Recording(statistics=TimeCourse)
    for name, spikes in run(model, inputs).items():
        recording.observe(name, spikes, framework="spyx", layer_type="LIF")
    return recording.report()


def main() -> None:
    """Observe, train, observe again, compare."""
    model, (inputs, labels) = network(), patterns(64, seed=1)
    before = observed(model, inputs)
    optimizer = nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param)
    for seed in range(2, 42):
        learn(model, optimizer, *patterns(64, seed))
    counts = np.asarray(run(model, inputs)["out"]).sum(0)
    print(f"right after training: {np.mean(counts.argmax(1) == labels):.0%}")
    print(neuroact.compare(before, observed(model, inputs)))


if __name__ == "__main__":
    main()
