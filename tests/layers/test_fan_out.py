"""Fan-out equals what brute force over every input, weight and output counts."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from neuroact.layers.fan_out import element_dims, fan_out, nonzero_weights, output_shape

PADDING: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
CONVOLUTIONS: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def found(module: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """What neuroact says: of the weights that are not zero, and of all."""
    result = fan_out(module, shape, nonzero_weights(module))
    assert result.connected.dtype == result.dense.dtype == np.int64
    return result.connected, result.dense


def zeroed(module: Any, seed: int) -> None:
    """Set about half of the weights to zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        module.weight.mul_(torch.rand_like(module.weight) < 0.5)


def by_loops(module: Any, shape: tuple[int, ...], weights: Any) -> Any:
    """Loops over every output, input channel and tap, and counts where each came from."""
    count: Any = np.zeros(shape, np.int64)
    channels, *sizes = shape
    dims = len(sizes)
    taps = list(itertools.product(*(range(k) for k in module.kernel_size)))
    if isinstance(module, TRANSPOSED):
        full = [
            (n - 1) * s - 2 * p + d * (k - 1) + o + 1
            for n, s, p, d, k, o in zip(
                sizes, module.stride, module.padding, module.dilation, module.kernel_size,
                module.output_padding, strict=True,
            )
        ]  # fmt: skip
        for c, place, tap in itertools.product(range(channels), np.ndindex(*sizes), taps):
            at = [
                place[d] * module.stride[d] - module.padding[d] + tap[d] * module.dilation[d]
                for d in range(dims)
            ]
            if all(0 <= a < n for a, n in zip(at, full, strict=True)):
                count[(c, *place)] += weights[(c, slice(None), *tap)].sum()
        return count
    # Where each place of the padded input came from: numpy.pad of the places' numbers.
    numbers = np.arange(int(np.prod(sizes))).reshape(sizes)
    pads = [(p, p) for p in module.padding] if not isinstance(module.padding, str) else None
    if module.padding == "valid":
        pads = [(0, 0)] * dims
    if module.padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        pads = [(t // 2, t - t // 2) for t in totals]
    assert pads is not None
    if module.padding_mode == "zeros":
        source = np.pad(numbers, pads, constant_values=-1)
    else:
        source = np.pad(numbers, pads, mode=PADDING[module.padding_mode])
    outputs = output_sizes(module, shape)
    inputs_of_group = channels // module.groups
    outputs_of_group = module.out_channels // module.groups
    for o, place, i, tap in itertools.product(
        range(module.out_channels), np.ndindex(*outputs), range(inputs_of_group), taps
    ):
        here = tuple(place[d] * module.stride[d] + tap[d] * module.dilation[d] for d in range(dims))
        if source[here] >= 0 and weights[(o, i, *tap)]:
            channel = (o // outputs_of_group) * inputs_of_group + i
            count[(channel, *np.unravel_index(source[here], sizes))] += 1
    return count


def output_sizes(module: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Torch's own answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that "same" padding of an even kernel takes a copy
        return tuple(module(torch.zeros(1, *shape)).shape[2:])


@st.composite
def convolutions(draw: st.DrawFn, dims: int) -> tuple[Any, tuple[int, ...]]:
    """A convolution with half of its weights zero, and a shape of its input."""
    most = {1: 6, 2: 4, 3: 3}[dims]
    sizes = [draw(st.integers(2, most)) for _ in range(dims)]
    groups = draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, min(3, n))) for n in sizes]
    dilation = [
        draw(st.integers(1, 2)) if (k - 1) * 2 < n else 1
        for k, n in zip(kernel, sizes, strict=True)
    ]
    mode = draw(st.sampled_from(["zeros", *PADDING]))
    named = draw(st.sampled_from([None, "same", "valid"]))
    fits = all(
        d * (k - 1) - d * (k - 1) // 2 < n for d, k, n in zip(dilation, kernel, sizes, strict=True)
    )
    if named is None or (named == "same" and not fits):
        padding: Any = tuple(draw(st.integers(0, n - 1 if n < 3 else 2)) for n in sizes)
    else:
        padding = named
    stride = 1 if padding == "same" else tuple(draw(st.integers(1, 3)) for _ in sizes)
    module = CONVOLUTIONS[dims - 1](
        groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), tuple(kernel),
        stride=stride, padding=padding, dilation=tuple(dilation), groups=groups, padding_mode=mode,
    )  # fmt: skip
    zeroed(module, draw(st.integers(0, 99)))
    return module, (module.in_channels, *sizes)


@st.composite
def transposed(draw: st.DrawFn, dims: int) -> tuple[Any, tuple[int, ...]]:
    """A transposed convolution with half of its weights zero, and a shape of its input."""
    sizes = [draw(st.integers(2, {1: 6, 2: 4, 3: 3}[dims])) for _ in range(dims)]
    groups = draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, 3)) for _ in sizes]
    stride = [draw(st.integers(1, 3)) for _ in sizes]
    dilation = [draw(st.integers(1, 2)) for _ in sizes]
    back = [draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]
    ends = [
        ((n - 1) * s + d * (k - 1) + o) // 2
        for n, s, d, k, o in zip(sizes, stride, dilation, kernel, back, strict=True)
    ]
    padding = [draw(st.integers(0, min(2, end))) for end in ends]
    module = TRANSPOSED[dims - 1](
        groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), tuple(kernel),
        stride=tuple(stride), padding=tuple(padding), dilation=tuple(dilation), groups=groups,
        output_padding=tuple(back),
    )  # fmt: skip
    zeroed(module, draw(st.integers(0, 99)))
    return module, (module.in_channels, *sizes)


def assert_exact(module: Any, shape: tuple[int, ...]) -> None:
    """Fan-out and output's shape are those that loops and torch give."""
    nonzero = module.weight.detach().numpy() != 0
    connected, dense = found(module, shape)
    assert np.array_equal(connected, by_loops(module, shape, nonzero))
    assert np.array_equal(dense, by_loops(module, shape, np.ones_like(nonzero)))
    assert output_shape(module, shape)[1:] == output_sizes(module, shape)
    assert element_dims(module) == len(shape)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_convolution_is_exact(dims: int) -> None:
    @given(convolutions(dims))
    def check(drawn: tuple[Any, tuple[int, ...]]) -> None:
        assert_exact(*drawn)

    check()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_transposed_convolution_is_exact(dims: int) -> None:
    @given(transposed(dims))
    def check(drawn: tuple[Any, tuple[int, ...]]) -> None:
        assert_exact(*drawn)

    check()


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_a_linear_layer_is_exact(inputs: int, outputs: int, seed: int) -> None:
    module = nn.Linear(inputs, outputs)
    zeroed(module, seed)
    connected, dense = found(module, (inputs,))
    weights = module.weight.detach().numpy()
    for i in range(inputs):
        assert connected[i] == sum(weights[o, i] != 0 for o in range(outputs))
        assert dense[i] == outputs


def test_it_is_the_vector_jacobian_product_of_ones_through_the_layer() -> None:
    module = nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(2, 1), dilation=2, groups=2)
    zeroed(module, 0)
    x = torch.zeros(1, 4, 11, 12, dtype=torch.float64, requires_grad=True)
    ones = (module.weight.detach() != 0).double()
    output = module._conv_forward(x, ones, None)
    (gradient,) = torch.autograd.grad(output.sum(), x)
    assert np.array_equal(found(module, (4, 11, 12))[0], gradient[0].numpy())


def test_a_pruned_weight_counts_as_its_mask_leaves_it() -> None:
    module = nn.Linear(3, 4)
    mask = torch.tensor([[1, 0, 1]] * 4)
    prune.custom_from_mask(module, "weight", mask)  # type: ignore[no-untyped-call]
    assert found(module, (3,))[0].tolist() == [4, 0, 4]


def test_a_parametrized_weight_counts_as_the_layer_uses_it() -> None:
    module = parametrizations.weight_norm(nn.Linear(3, 4))
    assert found(module, (3,))[0].tolist() == [4, 4, 4]


def test_asking_for_a_weight_leaves_the_module_as_found() -> None:
    module = parametrizations.spectral_norm(nn.Linear(3, 4)).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    random = torch.get_rng_state()
    found(module, (3,))
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_backward_pass_goes_on_after_a_weight_was_asked_for() -> None:
    class Mask(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0]))

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight * self.mask

    module = nn.Linear(3, 4)
    parametrize.register_parametrization(module, "weight", Mask())
    output = module(torch.ones(1, 3)).sum()
    assert found(module, (3,))[0].tolist() == [4, 0, 4]
    output.backward()


def test_the_shape_of_an_output_is_known_without_the_fan_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("neuroact.layers.fan_out._uses", None)  # it takes far longer
    assert output_shape(nn.Conv2d(1, 2, 3, padding=1), (1, 4, 5)) == (2, 4, 5)
    assert output_shape(nn.ConvTranspose1d(1, 2, 3), (1, 4)) == (2, 6)


def test_a_sparse_weight_is_read() -> None:
    module = nn.Linear(3, 2)
    module.weight = nn.Parameter(torch.tensor([[1.0, 0, 0], [2.0, 0, 3.0]]).to_sparse())
    assert found(module, (3,))[0].tolist() == [2, 0, 1]


def test_a_freed_weight_is_an_error() -> None:
    module = nn.Linear(3, 2)
    module.weight.data = torch.empty(0)
    with pytest.raises(ValueError, match=r"a weight of shape \[2, 3\], came \[0\]: it was freed"):
        nonzero_weights(module)


def test_a_weight_without_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values yet: call the model once"):
        nonzero_weights(nn.LazyLinear(2))


def test_a_weight_without_memory_is_refused_and_not_read() -> None:
    layer = nn.Linear(300, 200)
    layer.weight.untyped_storage().resize_(0)  # as FSDP does between calls
    with pytest.raises(
        ValueError, match=r"shape \[200, 300\], came .* without memory: it was freed"
    ):
        nonzero_weights(layer)
