"""Operations per sample in each framework's layouts equal brute force on each sample alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import sinabs.layers as sinabs
import snntorch
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

import neuroact
from neuroact.errors import SamplesUnknownError
from neuroact.results.spread import OperationSpread

TIME_FIRST, BATCH_FIRST = 0, 1
Run = Callable[[nn.Module, Tensor], object]


class Loop(nn.Module):
    """snnTorch, a loop over steps inside of the model, a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.lif = snntorch.Leaky(0.9, threshold=0.3, init_hidden=True)
        self.fc = nn.Linear(12, 5)
        self.rec = snntorch.RLeaky(0.9, threshold=0.1, linear_features=5, init_hidden=True)
        self.read = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> None:
        self.lif.reset_mem()
        self.rec.reset_mem()
        for step in x:
            self.read(self.rec(self.fc(self.lif(self.conv(step)).flatten(1))))


class Once(nn.Module):
    """snnTorch on a constant current: the first layer is called once a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(6, 5), nn.Linear(5, 3)
        self.lif = snntorch.Leaky(0.9, threshold=0.1, init_hidden=True)

    def forward(self, x: Tensor) -> None:
        self.lif.reset_mem()
        current = self.fc(x[0])
        for _ in range(4):
            self.out(self.lif(current))


class Encoder(nn.Module):
    """snnTorch, where the first layer gets all steps at once, before the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(6, 5), nn.Linear(5, 3)
        self.lif = snntorch.Leaky(0.9, threshold=0.1, init_hidden=True)

    def forward(self, x: Tensor) -> None:
        self.lif.reset_mem()
        for current in self.fc(x):
            self.out(self.lif(current))


def stepwise() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 5), snntorch.Leaky(0.9, threshold=0.2, init_hidden=True), nn.Linear(5, 3)
    )


def step_by_step(net: nn.Module, x: Tensor) -> None:
    """Run the steps from outside of the model."""
    if isinstance(net[1], snntorch.Leaky):  # type: ignore[index]  # Sequential
        net[1].reset_mem()  # type: ignore[index]
    else:
        functional.reset_net(net)
    for step in x:
        net(step)


def whole(net: nn.Module, x: Tensor) -> None:
    functional.reset_net(net)
    net(x)


def squeezed(net: nn.Module, x: Tensor) -> None:
    for module in net.modules():
        if isinstance(module, sinabs.IAFSqueeze):
            module.reset_states()
    net(x.flatten(0, 1))


def sinabs_whole(net: nn.Module, x: Tensor) -> None:
    for module in net.modules():
        if isinstance(module, sinabs.StatefulLayer):
            module.reset_states()
    net(x)


def spikingjelly(mode: str) -> nn.Module:
    net = nn.Sequential(
        layer.Conv2d(2, 3, 3, padding=1),
        neuron.LIFNode(v_threshold=0.1),
        layer.Flatten(),
        layer.Linear(48, 4),
        neuron.IFNode(v_threshold=0.1),
    )
    functional.set_step_mode(net, mode)
    return net


def containers() -> nn.Module:
    return nn.Sequential(
        layer.SeqToANNContainer(nn.Conv2d(2, 3, 3, padding=1), nn.Flatten()),
        neuron.LIFNode(v_threshold=0.1, step_mode="m"),
        layer.SeqToANNContainer(nn.Linear(48, 4)),
        neuron.IFNode(v_threshold=0.1, step_mode="m"),
    )


def norse_sequence() -> nn.Module:
    return norse.SequentialState(
        norse.Lift(nn.Conv2d(2, 3, 3)), nn.Flatten(2), norse.LIF(), nn.Linear(12, 4), norse.LIF()
    )


def norse_cells() -> nn.Module:
    return norse.SequentialState(nn.Linear(6, 4), norse.LIFCell(), nn.Linear(4, 3))


def cells(net: nn.Module, x: Tensor) -> None:
    state = None
    for step in x:
        _, state = net(step, state)


def sinabs_sequence() -> nn.Module:
    recurrent = sinabs.LIFRecurrent(tau_mem=5.0, rec_connect=nn.Linear(4, 4))
    return nn.Sequential(nn.Linear(6, 4), recurrent, nn.Linear(4, 2), sinabs.IAF())


def sinabs_squeezed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3),
        sinabs.IAFSqueeze(num_timesteps=4),
        nn.Flatten(),
        nn.Linear(12, 4),
        sinabs.IAFSqueeze(num_timesteps=4),
    )


def plain(net: nn.Module, x: Tensor) -> None:
    net(x)


IMAGES, VECTORS = (2, 4, 4), (6,)
CASES: list[Any] = [
    (Loop, plain, TIME_FIRST, IMAGES),
    (Once, plain, TIME_FIRST, VECTORS),
    (stepwise, step_by_step, TIME_FIRST, VECTORS),
    (lambda: spikingjelly("m"), whole, TIME_FIRST, IMAGES),
    (lambda: spikingjelly("s"), step_by_step, TIME_FIRST, IMAGES),
    (containers, whole, TIME_FIRST, IMAGES),
    (norse_sequence, plain, TIME_FIRST, IMAGES),
    (norse_cells, cells, TIME_FIRST, VECTORS),
    (sinabs_sequence, sinabs_whole, BATCH_FIRST, VECTORS),
    (sinabs_squeezed, squeezed, BATCH_FIRST, IMAGES),
]


def effective(
    net: nn.Module, run: Run, samples: Iterable[Tensor], lengths: Sequence[int] | None = None
) -> list[Any]:
    """For each sample, run alone: the operations of each connection by running it on flags.

    Only of its first `lengths` steps. Calls go on from one to the next, or are of all steps.
    """
    found: list[Any] = []
    for number, x in enumerate(samples):
        came = dict[str, int]()
        sums = dict.fromkeys((n for n, m in net.named_modules() if is_connection(m)), 0)

        def add(
            module: Any,
            args: Any,
            kwargs: Any,
            name: str,
            sums: dict[str, int] = sums,
            came: dict[str, int] = came,
            number: int = number,
        ) -> None:
            flags = ((args or tuple(kwargs.values()))[0] != 0).double()
            dims = 1 if isinstance(module, nn.Linear) else 3
            flags = flags.reshape(-1, *flags.shape[-dims:])
            first = came.get(name, 0)
            came[name] = first + len(flags)
            if lengths is not None:
                flags = flags[: max(0, lengths[number] - first)]
            weight = (module.weight != 0).double()
            if isinstance(module, nn.Linear):
                sums[name] += int((flags @ weight.T).sum())
            else:
                sums[name] += int(module._conv_forward(flags, weight, None).sum())

        hooks = [
            module.register_forward_pre_hook(
                lambda m, a, k, name=name, add=add: add(m, a, k, name), with_kwargs=True
            )
            for name, module in net.named_modules()
            if is_connection(module)
        ]
        run(net, x)
        for hook in hooks:
            hook.remove()
        found.append(sums)
    return found


def is_connection(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | nn.Conv2d)


SIZES: list[Any] = [(3, 2), (4, 1), (1,), (4, 4)]


@pytest.mark.parametrize(
    ("build", "run", "axis", "shape", "sizes"),
    [
        *((*case, sizes) for case in CASES for sizes in SIZES),
        (Encoder, plain, TIME_FIRST, VECTORS, (3, 1, 5)),
    ],
)
def test_spreads_are_those_of_samples_run_alone(
    build: Callable[[], nn.Module], run: Run, axis: int, shape: Any, sizes: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    net = build().eval()
    for module in net.modules():
        if isinstance(module, nn.Linear):
            module.weight.data[:, ::3] = 0
    batches = [
        (torch.rand(*((4, size) if axis == TIME_FIRST else (size, 4)), *shape) < 0.5).float() * 2
        for size in sizes
    ]
    with torch.no_grad():
        samples = [x for batch in batches for x in batch.split(1, 1 - axis)]
        alone = effective(net, run, samples)
        with neuroact.record(net, operations=True) as recording:
            for x in batches:
                run(net, x)
    operations = recording.report().operations
    total = np.zeros(sum(sizes), np.int64)
    for name in operations:
        expected = np.array([sample[name] for sample in alone])
        total += expected
        assert operations[name].spread == OperationSpread.of(expected), name
    assert operations.spread == OperationSpread.of(total)
    assert total.sum() == operations.total.effective > 0


@pytest.mark.parametrize("sizes", [(3, 2), (4, 4)])
@pytest.mark.parametrize(
    ("build", "run", "axis", "shape"), [case for case in CASES if case[0] is not Once]
)
def test_padding_is_in_no_figure(
    build: Callable[[], nn.Module], run: Run, axis: int, shape: Any, sizes: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    net = build().eval()
    lengths = [torch.randint(1, 5, (size,)) for size in sizes]
    batches = [
        (torch.rand(*((4, size) if axis == TIME_FIRST else (size, 4)), *shape) < 0.5).float() * 2
        for size in sizes
    ]
    with torch.no_grad():
        samples = [x for batch in batches for x in batch.split(1, 1 - axis)]
        alone = effective(net, run, samples, torch.cat(lengths).tolist())
        with neuroact.record(net, operations=True) as recording:
            for x, known in zip(batches, lengths, strict=True):
                with recording.batch(lengths=known):
                    run(net, x)
    operations = recording.report().operations
    for name in operations:
        expected = np.array([sample[name] for sample in alone])
        assert operations[name].effective == expected.sum()
        assert operations[name].observations == int(torch.cat(lengths).sum())
        assert operations[name].spread == OperationSpread.of(expected), name
    assert set(operations) == {name for name, m in net.named_modules() if is_connection(m)}


def test_a_layer_called_once_a_sequence_is_named_in_a_padded_batch() -> None:
    net = Once()
    with (
        torch.no_grad(),
        neuroact.record(net, operations=True) as recording,
        recording.batch(lengths=[2, 4]),
    ):
        net(torch.ones(1, 2, 6))
    operations = recording.report().operations
    assert list(operations) == ["out"]
    assert "it took 1 steps of a padded batch" in operations.not_counted["fc"]


@pytest.mark.parametrize("samples", [2, 4])
def test_steps_of_which_some_could_be_samples_give_no_spread(samples: int) -> None:
    torch.manual_seed(0)
    net = Encoder()
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(torch.ones(4, samples, 6))
    operations = recording.report().operations
    assert operations["out"].spread.samples == samples
    with pytest.raises(SamplesUnknownError, match=rf'"fc": .* dimensions \[4, {samples}\]'):
        _ = operations["fc"].spread


def test_a_model_that_is_itself_a_recorded_layer_has_a_spread() -> None:
    torch.manual_seed(0)
    net = snntorch.RLeaky(0.9, threshold=0.1, linear_features=5, init_hidden=True)
    came: list[Tensor] = []
    net.recurrent.register_forward_pre_hook(lambda _, args: came.append(args[0] != 0))
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        for step in torch.rand(6, 3, 5):
            net(step)
    expected = 5 * torch.stack(came).sum((0, 2))
    assert int(expected.sum()) > 0
    assert recording.report().operations.spread == OperationSpread.of(expected.numpy())


def test_a_state_that_goes_on_makes_one_sequence_of_all_calls() -> None:
    net = stepwise()
    x = (torch.rand(6, 3, 6) < 0.5).float()
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net[1].reset_mem()  # type: ignore[operator,union-attr]
        for step in x:
            net(step)
    spread = recording.report().operations["0"].spread
    assert spread == OperationSpread.of(5 * (x != 0).sum((0, 2)).numpy())
