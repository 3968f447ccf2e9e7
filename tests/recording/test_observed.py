"""Spikes fed by hand are read right, or refused with the layer's name."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import neuroact
from neuroact import LayerActivity, Recording, SpikeCounts
from neuroact.errors import AdapterReadError, ChunkError
from neuroact.stream import as_tensor

SPIKES = np.array([[0, 1, 1], [1, 0, 1]] * 2)[:, None]  # [time, batch, neurons]
READ_ONLY = SPIKES.copy()
READ_ONLY.flags.writeable = False
PADDED = np.pad(SPIKES, 1)


def fed(values: Any, **options: Any) -> LayerActivity:
    recording = Recording()
    recording.observe("chip", values, **options)
    return recording.report()["chip"]


def test_observing_by_hand_takes_arrays_and_lists() -> None:
    recording = Recording()
    recording.observe("chip", np.eye(3)[:, None])
    recording.observe("chip", [[[True, False, False]]], starts_sequence=False)
    recording.observe("chip", torch.ones(1, 2, 3), valid=[[True, False]])
    layer = recording.report()["chip"]
    assert layer.events.tolist() == [3, 2, 2]
    assert (layer.observations, layer.sequences, layer.framework) == (
        5,
        2,
        "observed",
    )


@pytest.mark.parametrize(
    "values",
    [
        SPIKES.tolist(),
        READ_ONLY,
        SPIKES[::-1],
        SPIKES[::-1, :, ::-1],
        np.asfortranarray(SPIKES),
        PADDED[1:-1, 1:-1, 1:-1],
        SPIKES > 0,
        *(SPIKES.astype(name) for name in ("u1", "i2", "u2", "u4", "u8", "f2", "f4", "f8")),
        *(SPIKES.astype(name) for name in (">i2", ">u4", ">f4", ">f8")),
        # Made only when needed, since other tests look at all tensors that are alive.
        lambda: torch.from_numpy(SPIKES).to_sparse(),
        lambda: torch.from_numpy(SPIKES).float().to_mkldnn(),
        lambda: torch.from_numpy(SPIKES).to(torch.bfloat16),
        lambda: list(torch.from_numpy(SPIKES)),
    ],
)
def test_arrays_of_any_layout_and_dtype_are_read_without_a_warning(values: Any) -> None:
    values = values() if callable(values) else values
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = fed(values)
    mirrored = isinstance(values, np.ndarray) and values[0, 0, 2] != values[1, 0, 2]
    assert layer.events.tolist() == ([4, 2, 2] if mirrored else [2, 2, 4])
    assert layer.observations == 4


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor")
def test_a_quantised_tensor_is_read() -> None:
    values = torch.quantize_per_tensor(torch.from_numpy(SPIKES).float(), 0.5, 0, torch.qint8)
    assert fed(values).events.tolist() == [2, 2, 4]


class Foreign:
    """An array of a library unknown to NumPy."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        return SPIKES.astype("u1").view("V1")


class ByDlpack:
    """An array of a library unknown to NumPy, which offers its memory."""

    def __init__(self, array: Any) -> None:
        self.array, self.strides = array, array.strides

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize(
    "array",
    [
        SPIKES,
        READ_ONLY,
        np.asfortranarray(SPIKES),
        SPIKES.astype(ml_dtypes.bfloat16),
        ByDlpack(SPIKES.astype("f4")),
        ByDlpack(READ_ONLY),
    ],
)
def test_what_torch_can_view_is_read_without_a_copy_and_without_a_warning(array: Any) -> None:
    owner = getattr(array, "array", array)
    tensor = as_tensor(array)
    assert tensor.data_ptr() == owner.ctypes.data
    assert tensor.dtype is torch.bfloat16 or tensor.numpy().dtype == owner.dtype
    assert fed(array).events.tolist() == [2, 2, 4]


def test_a_read_only_array_is_copied_where_torch_cannot_view_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def older(_: Any) -> None:
        raise BufferError("Cannot export readonly array")

    monkeypatch.setattr("neuroact.stream.tensors.from_dlpack", older)
    assert fed(READ_ONLY).events.tolist() == [2, 2, 4]


def test_a_file_mapped_for_reading_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "spikes.npy"
    np.save(path, SPIKES)
    assert fed(np.load(path, mmap_mode="r")).events.tolist() == [2, 2, 4]
    assert (np.load(path) == SPIKES).all()


@pytest.mark.parametrize(
    "name", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3b11fnuz", "int4", "uint2"]
)
def test_narrow_dtypes_as_jax_has_them_are_read(name: str) -> None:
    assert fed(SPIKES.astype(getattr(ml_dtypes, name))).events.tolist() == [2, 2, 4]


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr"])
def test_sparse_matrices_are_read_by_their_axes(layout: str) -> None:
    array = SPIKES[:, 0].astype("f4")
    made = getattr(scipy.sparse, f"{layout}_array")(array)
    assert fed(made, axes="TN").events.tolist() == [2, 2, 4]
    assert fed(made.T, axes="NT").events.tolist() == [2, 2, 4]
    with pytest.raises(ChunkError, match=r'"chip": came values of shape \[4, 3\], without axes='):
        fed(made)


@pytest.mark.filterwarnings("ignore:Sparse (CSR|CSC) tensor support is in beta")  # the making
@pytest.mark.parametrize("method", ["to_sparse_csr", "to_sparse_csc"])
def test_sparse_tensors_of_rows_or_columns_are_read(method: str) -> None:
    tensor = getattr(torch.from_numpy(SPIKES[:, 0]).float(), method)()
    assert fed(tensor, axes="TN").events.tolist() == [2, 2, 4]


def test_entries_of_a_sparse_matrix_at_one_place_are_added_and_then_no_spike_of_1() -> None:
    twice = scipy.sparse.coo_array((np.ones(2), ([1, 1], [2, 2])), shape=(4, 3))
    assert fed(twice, axes="TN", kind="graded").total.tolist() == [0, 0, 2]
    with pytest.warns(UserWarning, match="values other than 0 and 1"):
        fed(twice, axes="TN")


def test_tables_of_pandas_are_read_or_refused() -> None:
    table = pd.DataFrame(SPIKES[:, 0], columns=["a", "b", "c"])
    assert fed(table, axes="TN").events.tolist() == [2, 2, 4]
    assert fed(table["c"], axes="T").events.tolist() == 4
    with pytest.raises(ChunkError, match=r'"chip": came values of shape .* without axes='):
        fed(table)
    with pytest.raises(ChunkError, match=r'"chip": came DataFrame.* which .astype\(float\)'):
        fed(table.astype(object), axes="TN")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[[1, 0], [1]]], "came list, which cannot be read as .* inhomogeneous .* Pad what has"),
        (np.array([[1, 0], [1]], object), "its dtype is object.* Pad what has different lengths"),
        (ByDlpack(SPIKES[::-1]), "came ByDlpack, which cannot be read"),
        (SPIKES.astype(object), "its dtype is object"),
        (SPIKES.astype(str), "its dtype is <U"),
        (np.zeros((1, 1, 1), "M8[s]"), "its dtype is datetime64"),
        (np.zeros(4, [("x", int), ("t", int)]), r"its dtype is \[\('x'.* use observe_events"),
        (Foreign(), "came Foreign, which cannot be read"),
        (SPIKES.astype(np.longdouble), "longdouble"),
        (SPIKES * 1j, "expected real values"),
        (np.ma.masked_array(SPIKES, SPIKES > 0), "came a masked array: .* valid="),
        (None, "came NoneType, which cannot be read"),
        ({"a": 1}, "came dict, which cannot be read"),
        (lambda: torch.empty(1, 1, 1, device="meta"), "without values .* on the device meta"),
        (
            lambda: torch.nested.nested_tensor([torch.ones(2, 3)], layout=torch.jagged),
            "nested tensor",
        ),
        (lambda: [torch.ones(1, 2, requires_grad=True)], "requires grad"),
    ],
)
def test_values_that_cannot_be_read_are_refused_with_the_layers_name(
    values: Any, message: str
) -> None:
    recording = Recording()
    with pytest.raises(ChunkError, match='layer "chip": .*' + message) as caught:
        recording.observe("chip", values() if callable(values) else values)
    assert caught.value.layer == "chip"
    assert not recording.layers


@pytest.mark.parametrize(
    ("axes", "ordered"),
    [
        ("TN", lambda x: x),
        ("NT", lambda x: x.T),
        ("BN", lambda x: x),
        ("NB", lambda x: x.T),
        ("TB", lambda x: x.reshape(-1)),
    ],
)
def test_two_dimensions_are_read_in_the_order_of_axes(
    axes: str, ordered: Callable[[Any], Any]
) -> None:
    values = np.random.default_rng(0).random((50, 30)) < 0.3
    layer = fed(values, axes=axes)
    truth = ordered(values)
    np.testing.assert_array_equal(layer.events, truth.sum(0))
    assert layer.observations == len(truth)
    assert layer.sequences == {"TN": 1, "NT": 1, "BN": 50, "NB": 30, "TB": 30}[axes]


@pytest.mark.parametrize("axes", ["TBN", "BTN", "NTB", "BNT"])
def test_three_dimensions_are_read_in_the_order_of_axes(axes: str) -> None:
    values = np.random.default_rng(0).random((7, 5, 3)) < 0.3
    layer = fed(values, axes=axes)
    truth = np.moveaxis(values, [axes.index(axis) for axis in "TBN"], [0, 1, 2])
    np.testing.assert_array_equal(layer.events, truth.sum((0, 1)))
    assert layer.sequences == truth.shape[1]


@pytest.mark.parametrize(("axes", "shape"), [("N", (3,)), ("T", ())])
def test_one_dimension_is_neurons_or_time(axes: str, shape: tuple[int, ...]) -> None:
    layer = fed([1, 0, 1], axes=axes)
    assert (layer.shape, layer.events.sum()) == (shape, 2)
    assert layer.observations == 3 // math.prod(shape)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((1000, 50)), r"shape \[1000, 50\].* axes=\"TN\" for \[time, neurons\]"),
        ([(0, 1), (2, 3)], r"shape \[2, 2\].* pairs such as \(neuron, step\) are not read"),
        ([1, 0, 1], r"shape \[3\].* axes=\"N\" .* \"T\" for one neuron over time"),
        (1.0, r"shape \[\].* expected \[time, batch, \*neurons\]"),
    ],
)
def test_fewer_than_three_dimensions_without_axes_are_refused_with_what_to_say(
    values: Any, message: str
) -> None:
    with pytest.raises(ChunkError, match='layer "chip": came values of ' + message):
        fed(values)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ChunkError, match=r'"chip": expected the axes \'TB\', came .* \[4, 1, 3\]'):
        fed(SPIKES, axes="TB")
    with pytest.raises(ValueError, match=r"expected axes= to hold T \(time\)"):
        fed(SPIKES, axes="XY")
    with pytest.raises(ValueError, match=r'kind= to be "binary", "graded" or "analog", came \'x\''):
        fed(SPIKES, kind="x")
    with pytest.raises(ChunkError, match='layer "chip": expected valid to be a bool tensor'):
        fed(SPIKES, valid=[True])
    with pytest.raises(TypeError, match="expected the name of a layer and then values, came 3"):
        Recording().observe(3, SPIKES)  # type: ignore[arg-type]


def test_a_layer_on_the_device_meta_is_refused_and_its_counts_stay() -> None:
    net = torch.nn.Sequential(torch.nn.ReLU())
    with neuroact.record(net, layers="0") as recording:
        net(torch.ones(2, 3))
        before = recording.report()
        with pytest.raises(AdapterReadError, match=r'layer "0".* on the device meta'):
            net.to("meta")(torch.ones(2, 3, device="meta"))
        assert recording.report() == before


def test_what_goes_on_from_nothing_or_with_another_batch_is_begun_alike_in_every_statistic() -> (
    None
):
    recording = Recording(statistics=[SpikeCounts])
    for batch, begun in ((3, 3), (2, 5), (2, 5)):
        recording.observe("chip", np.ones((5, batch, 2)), starts_sequence=False)
        layer = recording.report()["chip"]
        assert (layer.sequences, layer[SpikeCounts].sequences) == (begun, begun)
