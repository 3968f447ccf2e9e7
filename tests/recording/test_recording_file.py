"""A recording comes back from a file to the bit, goes on, and is readable without neuroact."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored import ALL_BUT_FIRING, LEVELS, Largest, bits_of, fed, feed, form_of, same
from torch import nn
from toy import Net, ToyAdapter

import neuroact
from neuroact import Recording, SignalKind
from neuroact.errors import RecordingClosedError, RecordingFileError
from neuroact.files.tensor_file import pack, unpack
from neuroact.recording.recording_file import LONGEST_NAME
from neuroact.testing.strategies import Stream, cuts, streams

ADAPTERS = [ToyAdapter()]
kinds = st.sampled_from(list(LEVELS))
DTYPES = (
    torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16,
    torch.uint32, torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64,
)  # fmt: skip


@given(st.data(), kinds, st.sampled_from([None, 0.001, 1 / 3]))
def test_a_recording_comes_back_from_bytes_to_the_bit(
    data: st.DataObject, kind: SignalKind, dt: float | None
) -> None:
    stream, name = data.draw(streams(LEVELS[kind])), data.draw(st.text())
    recording = fed(stream, kind, name, dt=dt, statistics=[Largest])
    again = Recording.from_bytes(recording.to_bytes(), statistics=[Largest])
    assert same(again, recording)
    assert again.to_bytes() == recording.to_bytes()
    assert again.report() == recording.report()


def test_a_file_written_before_safetensors_read_them_is_read_and_written_alike() -> None:
    path = Path(__file__).parents[1] / "data" / "recording-v1.nact"
    recording, stored = Recording.load(path), safetensors.numpy.load(path.read_bytes())
    assert recording.to_bytes() == path.read_bytes()
    for number, layer in enumerate(recording.report().values()):
        np.testing.assert_array_equal(layer.events, stored[f"{number}.0.events"])
        histogram = layer[neuroact.SpikeCounts].histogram
        assert histogram.sum() == layer.sequences * layer.neurons


def test_a_file_does_not_depend_on_the_order_in_which_tensors_come() -> None:
    tensors = {name: torch.ones(3, dtype=dtype) for name, dtype in zip("bac", DTYPES, strict=False)}
    assert b"".join(pack(tensors, "{}")) == b"".join(pack(dict(sorted(tensors.items())), "{}"))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (2, 3)])
def test_a_tensor_of_any_dtype_and_shape_comes_back_to_the_bit(
    dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    values = torch.arange(math.prod(shape)).reshape(shape)
    for tensor in (values.to(dtype), values.to(dtype).expand(2, *shape).transpose(0, -1)):
        again = unpack(b"".join(pack({"x": tensor, "other": torch.ones(3)}, "{}")))["x"]
        assert form_of(again) == form_of(tensor)


def test_a_file_tells_all_that_the_report_does(tmp_path: Path) -> None:
    net = Net()
    with neuroact.record(net, adapters=ADAPTERS, dt=0.001) as recording:
        net(torch.randn(6, 2, 5))
    recording.save(tmp_path / "run.nact")
    again = Recording.load(tmp_path / "run.nact")
    assert again.report().to_json() == recording.report().to_json()
    assert list(again.layers.items()) == list(recording.layers.items())


def test_layers_never_called_are_kept_and_named_as_such() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    with neuroact.record(net, layers=["0", "1"]) as recording:
        net[0](torch.eye(3))
    again = Recording.from_bytes(recording.to_bytes())
    with pytest.warns(neuroact.errors.LayerNotCalledWarning):
        assert again.report().not_called == ("1",)


@given(streams(LEVELS[SignalKind.GRADED]))
def test_the_safetensors_package_reads_the_same_tensors(stream: Stream) -> None:
    recording = fed(stream, SignalKind.GRADED, statistics=[Largest])
    found = safetensors.torch.load(recording.to_bytes())
    places = {"Firing": 0, "Largest": 1}
    expected = {
        f"0.{places[statistic]}.{key}": form
        for (_, statistic, key), form in bits_of(recording).items()
    }
    assert found.keys() == expected.keys() | {"sha256"}
    for name, form in expected.items():
        assert form_of(found[name]) == form


def test_a_file_is_read_without_neuroact(tmp_path: Path) -> None:
    fed(Stream((np.ones((5, 2, 3)),), (3,)), name="encoder.lif").save(tmp_path / "run.nact")
    with safetensors.safe_open(tmp_path / "run.nact", framework="numpy") as file:
        text = json.loads(file.metadata()["neuroact"])
        assert file.get_tensor("0.0.events").tolist() == [10, 10, 10]
    assert (text["schema"], text["schema_version"]) == ("neuroact.recording", 1)
    assert text["statistics"] == ["neuroact.Firing"]
    assert text["layers"][0]["name"] == "encoder.lif"
    assert text["layers"][0]["neurons"] == [3]


@given(st.data(), kinds, st.booleans())
def test_a_run_that_is_saved_and_resumed_equals_one_without_a_break(
    data: st.DataObject, kind: SignalKind, padded: bool
) -> None:
    """Also in mid-sequence: the first chunk after a resume continues the sequence."""
    torch.manual_seed(0)
    stream = data.draw(streams(LEVELS[kind]))
    statistics = [*ALL_BUT_FIRING, Largest] if kind is not SignalKind.ANALOG else [Largest]
    whole, parts = Recording(statistics=statistics), Recording(statistics=statistics)
    for sequence in stream.sequences:
        valid = torch.rand(sequence.shape[:2]) < 0.8
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            for recording in (whole, parts):
                recording.observe(
                    "lif",
                    torch.from_numpy(sequence[piece]),
                    axes=stream.axes,
                    kind=kind,
                    starts_sequence=number == 0,
                    valid=valid[piece] if padded else None,
                )
            if data.draw(st.booleans()):
                resumed = Recording(statistics=statistics)
                resumed.merge(Recording.from_bytes(parts.to_bytes(), statistics=[Largest]))
                parts = resumed
    assert same(parts, whole)
    assert parts.report() == whole.report()


def test_a_model_recorded_anew_goes_on_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    batches, net = torch.randn(7, 5, 2, 5), Net()
    options: Any = {"adapters": ADAPTERS, "dt": 0.001, "statistics": ALL_BUT_FIRING}
    with neuroact.record(net, **options) as whole:
        for batch in batches:
            net(batch)
    for batch in batches:  # as if each ran in a process of its own
        recording = neuroact.record(net, **options)
        if (tmp_path / "run.nact").exists():
            recording.merge(Recording.load(tmp_path / "run.nact"))
        with recording:
            net(batch)
        recording.save(tmp_path / "run.nact")
    assert same(Recording.load(tmp_path / "run.nact"), whole)


def test_saving_in_mid_recording_changes_nothing_and_keeps_nothing_back() -> None:
    net = Net()
    with neuroact.record(net, adapters=ADAPTERS) as recording:
        net(torch.randn(3, 2, 5))
        first, before = recording.to_bytes(), bits_of(recording)
        net(torch.randn(3, 2, 5))
    assert bits_of(Recording.from_bytes(first)) == before
    assert bits_of(recording) != before


def test_a_loaded_recording_is_closed_and_can_be_saved_again(tmp_path: Path) -> None:
    recording = fed(Stream((np.ones((5, 2, 3)),), (3,)))
    recording.save(tmp_path / "a.nact")
    again = Recording.load(tmp_path / "a.nact")
    with pytest.raises(RecordingClosedError):
        again.observe("lif", torch.ones(1, 1, 3))
    again.save(tmp_path / "b.nact")
    assert (tmp_path / "a.nact").read_bytes() == (tmp_path / "b.nact").read_bytes()


def test_a_users_own_statistic_is_read_only_where_it_is_given() -> None:
    data = fed(Stream((np.ones((5, 2, 3)),), (3,)), statistics=[Largest]).to_bytes()
    with pytest.raises(RecordingFileError, match=r"statistic 'Largest'.*statistics=\[ItsClass\]"):
        Recording.from_bytes(data)
    # A function that builds one is accepted, as in `record`.
    again = Recording.from_bytes(data, statistics=[lambda: Largest(2.0)])
    assert again.report()["lif"].results["Largest"] == ([1.0] * 5, 5)
    again.merge(Recording.from_bytes(data, statistics=[Largest]))


def test_a_users_class_is_not_mistaken_for_neuroacts_class_of_the_same_name() -> None:
    impostor = type("SpikeCounts", (Largest,), {})
    recording = fed(Stream((np.ones((5, 2, 3)),), (3,)), statistics=[impostor])
    with pytest.raises(RecordingFileError, match="statistic 'SpikeCounts'"):
        Recording.from_bytes(recording.to_bytes())
    assert same(Recording.from_bytes(recording.to_bytes(), statistics=[impostor]), recording)


def test_names_of_layers_never_become_paths_or_keys(tmp_path: Path) -> None:
    recording = Recording()
    for name in ("../../etc/passwd", "0.0.events", "__metadata__", "sha256", "", "a\x00\x1b[31m"):
        recording.observe(name, torch.ones(1, 1, 2))
    recording.save(tmp_path / "run.nact")
    assert [path.name for path in tmp_path.iterdir()] == ["run.nact"]
    assert same(Recording.load(tmp_path / "run.nact"), recording)
    assert set(safetensors.torch.load(recording.to_bytes())) == {
        *(
            f"{number}.0.{key}"
            for number in range(6)
            for key in recording._layers["sha256"].statistics[0].state_dict()
        ),
        "sha256",
    }


def test_a_recording_that_a_file_could_not_give_back_is_not_saved(tmp_path: Path) -> None:
    recording = Recording()
    recording.observe("x" * (LONGEST_NAME + 1), torch.ones(1, 1, 2))
    with pytest.raises(RecordingFileError, match="has 4,097 characters") as caught:
        recording.save(tmp_path / "run.nact")
    assert caught.value.layer == "x" * (LONGEST_NAME + 1)

    class Odd(Largest):
        def state_dict(self) -> dict[str, torch.Tensor]:
            return {"odd": torch.zeros(2, dtype=torch.complex64)}

    recording = fed(Stream((np.ones((5, 2, 3)),), (3,)), statistics=[Odd])
    with pytest.raises(RecordingFileError, match=r"0\.1\.odd.*came torch\.complex64"):
        recording.save(tmp_path / "run.nact")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_or_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "none.nact")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        Recording().save(tmp_path / "none" / "run.nact")


def test_loading_imports_no_framework_and_nothing_that_the_file_names(tmp_path: Path) -> None:
    fed(Stream((np.ones((5, 2, 3)),), (3,))).save(tmp_path / "run.nact")
    program = (
        "import sys, neuroact; neuroact.Recording; before = set(sys.modules); "
        f"neuroact.Recording.load({str(tmp_path / 'run.nact')!r}).report(); "
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}; "
        "assert new <= {'neuroact', 'safetensors', *sys.stdlib_module_names}, new"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_feeding_a_fresh_recording_after_a_merge_leaves_the_merged_one_unchanged() -> None:
    stream = Stream((np.ones((5, 2, 3)),), (3,))
    part = Recording.from_bytes(fed(stream).to_bytes())
    before, total = bits_of(part), Recording()
    total.merge(part)
    feed(total, stream)
    assert bits_of(part) == before
