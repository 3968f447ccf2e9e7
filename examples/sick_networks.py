"""How often are verdicts right? Networks are trained well, or made sick in thirteen ways.

The truth does not depend on the verdicts. A network is sick if something was done to it, and if its
accuracy on the training set is ten points or more below that of the same network, with the same
seed, untreated. It is alarmed if it has a verdict that is severe or a warning.

Handwritten digits, plain PyTorch; two minutes on one thread.

Run: python examples/sick_networks.py [networks.json]
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import neuroact
from neuroact.results.verdict_kinds import KINDS

SEEDS = (2, 3)  # thresholds were chosen on 0 and 1
STEPS, SAMPLES, BATCH, CLASSES = 10, 900, 100, 10
SPARSE = 0.03
WORSE_BY, WELL_FROM = 0.1, 0.85


@dataclass(frozen=True)
class Recipe:
    """How a network is built, fed and trained."""

    hidden: Sequence[int] = (100, 100)
    channels: Sequence[int] = ()
    gain: float = 2.0
    bias: float = 0.0
    threshold: float = 1.0
    keep: float = 0.9
    resets: bool = True
    slope: float = 2.0
    coding: str = "rate"
    input_scale: float = 1.0
    learning_rate: float = 2e-3
    epochs: int = 12
    cost_of_spikes: float = 0.0


FEW = Recipe(cost_of_spikes=5.0, epochs=25, learning_rate=5e-3)
WELL = {
    "two layers": Recipe(),
    "one narrow layer": Recipe(hidden=(50,)),
    "one wide layer": Recipe(hidden=(400,)),
    "six layers": Recipe(hidden=(64,) * 6),
    "convolutions": Recipe(channels=(8, 16), hidden=(64,)),
    "pixels as currents": Recipe(coding="current"),
    "one spike a pixel": Recipe(coding="latency"),
    "no leak": Recipe(keep=1.0),
    "few spikes": FEW,
    "few spikes, four layers": replace(FEW, hidden=(64,) * 4),
    "few spikes, convolutions": replace(FEW, channels=(8, 16), hidden=(64,)),
    "few spikes, one spike a pixel": replace(FEW, coding="latency"),
}
TREATED = ("two layers", "six layers", "convolutions")
TREATMENTS: Mapping[str, Mapping[str, Any]] = {
    "weights too small": {"gain": 0.01},
    "weights too large": {"gain": 60.0},
    "biases too low": {"bias": -6.0},
    "biases too high": {"bias": 6.0},
    "threshold too high": {"threshold": 30.0},
    "threshold too low": {"threshold": 0.001},
    "leak too strong": {"keep": 0.0, "gain": 0.3},
    "no reset and no leak": {"keep": 1.0, "resets": False},
    "input too weak": {"input_scale": 0.02},
    "input too strong": {"input_scale": 3000.0},
    "learning rate too high": {"learning_rate": 1.0},
    "learning rate too low": {"learning_rate": 1e-7},
    "surrogate gradient too narrow": {"slope": 1000.0},
}


class Fired(torch.autograd.Function):
    """Leaky integrate-and-fire neurons over all steps, and their surrogate gradient."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Spikes, and the membranes before their resets."""
        membrane, membranes = torch.zeros_like(current[0]), torch.empty_like(current)
        for step, now in zip(current, membranes, strict=True):
            torch.add(step, membrane, alpha=recipe.keep, out=now)
            membrane = now - recipe.threshold * (now > recipe.threshold) if recipe.resets else now
        ctx.save_for_backward(membranes)
        ctx.recipe = recipe
        ctx.mark_non_differentiable(membranes)
        return (membranes > recipe.threshold).float(), membranes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """A bell around the threshold, carried back by the leak but not by the reset."""
        (membranes,) = ctx.saved_tensors
        recipe = ctx.recipe
        bell = (1 + recipe.slope * (membranes - recipe.threshold).abs()) ** -2
        back = grads[0] * bell
        for at in range(len(back) - 2, -1, -1):
            back[at].add_(back[at + 1], alpha=recipe.keep)
        return back, None


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons: `[time, batch, ...]` to the same shape."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def forward(self, current: Tensor) -> Tensor:
        """Spikes of all steps; the membranes stay in `potential`."""
        spikes, self.potential = Fired.apply(current, self.recipe)
        return spikes


class EachStep(nn.Module):
    """A layer applied to every step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output for all steps."""
        return self.layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def network(recipe: Recipe) -> nn.Sequential:
    """The network; its last layer adds up what the spikes say of each class."""
    layers: list[nn.Module] = []
    inputs, side = 1, 8
    for channels in recipe.channels:
        layers += [EachStep(nn.Conv2d(inputs, channels, 3, stride=2, padding=1)), LIF(recipe)]
        inputs, side = channels, side // 2
    layers.append(nn.Flatten(2))
    inputs *= side * side
    for width in recipe.hidden:
        layers += [nn.Linear(inputs, width), LIF(recipe)]
        inputs = width
    layers.append(nn.Linear(inputs, CLASSES))
    net = nn.Sequential(*layers)
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=recipe.gain / module.weight[0].numel() ** 0.5)
            nn.init.constant_(module.bias, recipe.bias)
    return net


def encoded(images: Tensor, recipe: Recipe) -> Tensor:
    """Digits as `[time, batch, 1, 8, 8]`."""
    shown = images.expand(STEPS, *images.shape)
    if recipe.coding == "rate":
        shown = (torch.rand_like(shown) < shown).float()
    elif recipe.coding == "latency":
        first = ((1 - images) * (STEPS - 1)).round()
        steps = torch.arange(STEPS).view(-1, 1, 1, 1, 1)
        shown = ((steps == first) & (images > 0)).float()
    return recipe.input_scale * shown


def digits() -> tuple[Tensor, Tensor]:
    """Images `[sample, 1, 8, 8]` from 0 to 1, and their classes."""
    data = load_digits()
    images = torch.tensor(data.images[:SAMPLES], dtype=torch.float32).unsqueeze(1) / 16
    return images, torch.tensor(data.target[:SAMPLES])


def trained(recipe: Recipe, seed: int, images: Tensor, labels: Tensor) -> nn.Sequential:
    """A network that has learned as well as its recipe allows."""
    torch.manual_seed(seed)
    net = network(recipe)
    optimizer = torch.optim.Adam(net.parameters(), recipe.learning_rate)
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            x, too_many = encoded(images[batch], recipe), torch.zeros(())
            for layer in net:
                x = layer(x)
                if isinstance(layer, LIF):
                    too_many = too_many + (x.mean() - SPARSE).relu()
            loss = cross_entropy(x.mean(0), labels[batch]) + recipe.cost_of_spikes * too_many
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


@dataclass(frozen=True)
class Network:
    """What became of one network."""

    network: str
    treatment: str | None
    seed: int
    accuracy: float
    sick: bool
    rate: float
    by_spikes: tuple[str, ...]
    by_all: tuple[str, ...]


def examined(
    net: nn.Sequential, recipe: Recipe, images: Tensor, labels: Tensor
) -> tuple[float, float, tuple[str, ...], tuple[str, ...]]:
    """Accuracy on the training set, event rate, verdicts on spikes, and with the others."""
    right, signal = 0, neuroact.Signal(recipe.threshold)
    spikes = neuroact.record(net, layers=LIF, axes="TBN", kind="binary")
    membranes = neuroact.record(net, layers=LIF, axes="TBN", of="potential", statistics=signal)
    with torch.no_grad(), spikes, membranes:
        for at in torch.arange(len(images)).split(450):
            guessed = net(encoded(images[at], recipe)).mean(0).argmax(1)
            right += int((guessed == labels[at]).sum())
    with neuroact.record(net, layers=LIF, axes="TBN", of="grad") as gradients:
        out = net(encoded(images[:BATCH], recipe)).mean(0)
        cross_entropy(out, labels[:BATCH]).backward()
    report = spikes.report()
    rate = sum(1 - layer.sparsity for layer in report.values()) / len(report)
    found = list(dict.fromkeys(verdict.name for verdict in report.diagnose()))
    others = (v.name for other in (membranes, gradients) for v in other.report().diagnose())
    return right / len(images), rate, tuple(found), tuple(dict.fromkeys([*found, *others]))


def study(
    networks: Iterable[str] = WELL,
    treatments: Iterable[str] = TREATMENTS,
    seeds: Iterable[int] = SEEDS,
) -> Iterator[Network]:
    """Every network as it should be, and some of them treated."""
    images, labels = digits()
    for seed in seeds:
        for name in networks:
            recipe = WELL[name]
            net = trained(recipe, seed, images, labels)
            reached, *found = examined(net, recipe, images, labels)
            yield Network(name, None, seed, round(reached, 3), False, *rounded(found))
            for treatment in treatments if name in TREATED else ():
                made = replace(recipe, **TREATMENTS[treatment])
                net = trained(made, seed, images, labels)
                accuracy, *found = examined(net, made, images, labels)
                sick = accuracy <= reached - WORSE_BY
                yield Network(name, treatment, seed, round(accuracy, 3), sick, *rounded(found))


def rounded(found: Sequence[Any]) -> tuple[Any, ...]:
    """The event rate in three digits."""
    rate, *verdicts = found
    return (round(rate, 3), *verdicts)


def alarmed(verdicts: Iterable[str]) -> bool:
    """Whether one of the verdicts is more than a note."""
    return any(KINDS[name].severity != "note" for name in verdicts)


def by_treatment(networks: Sequence[Network]) -> Iterator[str]:
    """A table: which networks were alarmed, by what was done to them."""
    heads = "what was done | networks | activity | alarmed by their spikes"
    yield f"| {heads} | with membranes and gradients | verdicts |"
    yield "|---|---|---|---|---|---|"
    for name in WELL:
        yield row(
            f"nothing: {name}", [n for n in networks if (n.network, n.treatment) == (name, None)]
        )
    for name in TREATMENTS:
        yield row(f"{name}: sick", [n for n in networks if n.treatment == name and n.sick])
    yield row("treated, but not harmed", [n for n in networks if n.treatment and not n.sick])


def row(name: str, networks: Sequence[Network]) -> str:
    """One group of networks in the table."""
    if not networks:
        return f"| {name} | 0 | - | - | - | - |"
    rates = [100 * network.rate for network in networks]
    found = Counter(verdict for network in networks for verdict in network.by_all)
    cells = (
        name,
        len(networks),
        " to ".join(dict.fromkeys(f"{rate:.0f}" for rate in (min(rates), max(rates)))) + " %",
        sum(alarmed(network.by_spikes) for network in networks),
        sum(alarmed(network.by_all) for network in networks),
        ", ".join(f"{verdict} {count}" for verdict, count in found.most_common()) or "-",
    )
    return f"| {' | '.join(map(str, cells))} |"


def by_verdict(networks: Sequence[Network]) -> Iterator[str]:
    """A table: how many of the networks that have a verdict are sick."""
    yield "| verdict | severity | networks that have it | of them sick |"
    yield "|---|---|---|---|"
    for name, kind in KINDS.items():
        having = [network for network in networks if name in network.by_all]
        yield f"| {name} | {kind.severity} | {len(having)} | {sum(n.sick for n in having)} |"


def summary(networks: Sequence[Network]) -> Iterator[str]:
    """A table: precision and recall of an alarm."""
    yield "| recorded | alarmed | of them sick: precision | of the sick alarmed: recall |"
    yield "|---|---|---|---|"
    sick = sum(network.sick for network in networks)
    for what, found in (("spikes", "by_spikes"), ("with membranes and gradients", "by_all")):
        hits = [network.sick for network in networks if alarmed(getattr(network, found))]
        right = sum(hits)
        yield (
            f"| {what} | {len(hits)} of {len(networks)} | {right} of {len(hits)}: "
            f"{100 * right / max(1, len(hits)):.0f} % | {right} of {sick}: "
            f"{100 * right / max(1, sick):.0f} % |"
        )


def read(path: Path) -> tuple[dict[str, Any], list[Network]]:
    """What `main` wrote: how it was made, and the networks."""
    document = json.loads(path.read_text(encoding="utf-8"))
    networks = [
        replace(network, by_spikes=tuple(network.by_spikes), by_all=tuple(network.by_all))
        for network in (Network(**entry) for entry in document.pop("networks"))
    ]
    return document, networks


def main() -> None:
    """Train, examine, print; write the networks to the given file."""
    torch.set_num_threads(1)
    networks = list(study())
    for table in (summary, by_treatment, by_verdict):
        print("\n".join(table(networks)), end="\n\n")
    if len(sys.argv) > 1:
        lines = ",\n  ".join(json.dumps(asdict(network)) for network in networks)
        made = {"made": str(date.today()), "torch": torch.__version__, "seeds": SEEDS}
        text = json.dumps(made)[:-1] + f', "networks": [\n  {lines}\n]}}\n'
        Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
