"""A file that is cut short, altered, foreign, newer or hostile raises one clear error.

A process of its own measures the memory that hostile files take: a file must not make neuroact
reserve the sizes that it declares.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from looked_at import look_at
from stored import ALL_BUT_FIRING, bits_of, fed, settled

from neuroact import (
    InterspikeIntervals,
    Raster,
    Recording,
    SignalKind,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import (
    MergeError,
    NothingRecordedError,
    RecordingFileError,
)
from neuroact.files.tensor_file import LARGEST_HEADER, pack
from neuroact.statistics.states import working_memory
from neuroact.testing.strategies import Stream

ONES = Stream((np.ones((5, 2, 3)),), (3,))
# A layer's number and a statistic's number in it.
COUNTS, RASTER, SYNCHRONY, INTERVALS, COURSE = (
    f"0.{1 + ALL_BUT_FIRING.index(statistic)}"
    for statistic in (SpikeCounts, Raster, Synchrony, InterspikeIntervals, TimeCourse)
)
GOOD = fed(ONES, dt=0.001, statistics=ALL_BUT_FIRING).to_bytes()
GRADED = fed(ONES, SignalKind.GRADED, dt=0.001, statistics=ALL_BUT_FIRING).to_bytes()


def parts_of(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """A file's header, the text in it, and its data."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["neuroact"]), data[8 + length :]


def with_header(header: str, data: bytes = b"") -> bytes:
    """A file that a stranger wrote: any header before any data."""
    return len(header.encode()).to_bytes(8, "little") + header.encode() + data


def repacked(
    change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None], good: bytes = GOOD
) -> bytes:
    """A file with changed text and tensors, and a checksum that fits them."""
    recording = Recording.from_bytes(good)
    tensors = {
        f"0.{place}.{key}": tensor
        for place, statistic in enumerate(settled(recording))
        for key, tensor in statistic.state_dict().items()
    }
    text = parts_of(good)[1]
    change(text, tensors)
    return b"".join(pack(tensors, json.dumps(text)))


def refused(data: bytes, message: str = ".") -> None:
    with pytest.raises(RecordingFileError, match=message) as caught:
        Recording.from_bytes(data)
    assert len(str(caught.value)) < 1000


def test_every_cut_is_found() -> None:
    for length in range(len(GOOD)):
        refused(GOOD[:length])


def test_every_flipped_bit_is_found() -> None:
    for at in range(len(GOOD)):
        for bit in range(8):
            damaged = bytearray(GOOD)
            damaged[at] ^= 1 << bit
            refused(bytes(damaged))


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    refused(data)
    refused(GOOD + data + b"x", unfit("incomplete"))


@given(st.integers(0, len(GOOD)), st.binary(max_size=20), st.integers(0, 20))
def test_bytes_put_in_or_taken_out_are_found(at: int, more: bytes, less: int) -> None:
    damaged = GOOD[:at] + more + GOOD[at + less :]
    if damaged != GOOD:
        refused(damaged)


def header_of(**entries: Any) -> dict[str, Any]:
    return {"__metadata__": {"neuroact": json.dumps(parts_of(GOOD)[1])}, **entries}


def entry(dtype: Any = "I64", shape: Any = (1,), begin: Any = 0, end: Any = 8) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def with_entries(data: bytes = bytes(8), **entries: Any) -> bytes:
    return with_header(json.dumps(header_of(**entries)), data)


FOREIGN = {
    "nothing": (b"", "too few"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "does not begin like a recording"),
    "a text": (b"neurons,activity\n1,0.5\n", "does not begin like a recording"),
    "weights": (safetensors.torch.save({"w": torch.ones(3)}), "not one that neuroact wrote"),
    "other metadata": (
        safetensors.torch.save({"w": torch.ones(3)}, {"format": "pt"}),
        "not one that neuroact wrote",
    ),
    "another text": (
        b"".join(pack({}, "{}")),
        'expected "schema": "neuroact.recording" in its text',
    ),
    "no object": (b"".join(pack({}, "[]")), "text is no JSON object"),
    "no JSON": (b"".join(pack({}, "neuroact")), "text is not JSON"),
    "no checksum": (with_entries(x=entry()), "expected a checksum"),
    "no UTF-8": (b"\x01" + bytes(7) + b"\xff", "not UTF-8"),
    "UTF-16": (b"\x04" + bytes(7) + "{}".encode("utf-16-le"), "header is not JSON"),
}


def unfit(why: str) -> str:
    """What is said of a header that does not fit; the safetensors package, or torch, says why."""
    return rf"(?i)its header does not fit its [\d,]+ bytes \(.*{why}.*\)$"


HEADERS = {
    "a header of 2^63 bytes": (b"\xff" * 8 + b"{}", "does not begin like a recording"),
    "a header beyond the file": (b"\x00\x00\x01" + bytes(5) + b"{}", "cut short in its header"),
    "a list": (with_header("[]"), "header is no JSON object"),
    "nesting": (with_header("[" * 100_000), "header is nested too deep"),
    "nested objects": (with_header('{"a":' * 100_000), "header is nested too deep"),
    "a nested text": (b"".join(pack({}, '{"a":' * 100_000)), "text is nested too deep"),
    "a key twice": (with_header('{"a": 1, "a": 1}'), "the key 'a' comes twice"),
    "a key twice in the text": (b"".join(pack({}, '{"dt": 1, "dt": 2}')), "key 'dt' comes twice"),
    "NaN": (with_header('{"a": NaN}'), "NaN is not a number in JSON"),
    "NaN in the text": (b"".join(pack({}, '{"dt": NaN}')), "NaN is not a number in JSON"),
    "a number of many digits": (with_header('{"a": ' + "9" * 5000 + "}"), "header is not JSON"),
    "metadata that are none": (with_header('{"__metadata__": []}'), "not one that neuroact wrote"),
    "a text that is none": (
        with_header('{"__metadata__": {"neuroact": {}}}'),
        "not one that neuroact wrote",
    ),
    "a huge shape": (with_entries(x=entry(shape=[2**40, 2**20])), unfit("overflow")),
    "a huge empty shape": (
        with_entries(x=entry(shape=[2**62, 2**62, 0], end=0)),
        unfit("overflow"),
    ),
    "many dimensions": (with_entries(x=entry(shape=[2**62] * 1000)), unfit("overflow")),
    "a negative size": (with_entries(x=entry(shape=[-1, -1])), unfit("value.*-1")),
    "a size that is true": (with_entries(x=entry(shape=[True])), unfit("true")),
    "a size that is a float": (with_entries(x=entry(shape=[1.0])), unfit("1[.]0")),
    "a size beyond 2^63": (with_entries(x=entry(shape=[2**63])), unfit("overflow")),
    "a dtype that is none": (with_entries(x=entry("F8")), unfit("F8")),
    "a dtype that is a list": (with_entries(x=entry([])), unfit("sequence")),
    "a dtype that is not neuroact's": (with_entries(x=entry("C64")), unfit("C64")),
    "a shape that torch refuses": (
        with_entries(b"", x=entry(shape=[0, 2**63], end=0)),
        unfit("."),
    ),
    "strides beyond 2^63": (
        with_entries(b"", x=entry(shape=[0, 2**31, 2**31, 2], end=0)),
        unfit("."),
    ),
    "an entry that is none": (with_entries(x=[]), unfit("length 0")),
    "one offset": (with_entries(x={**entry(), "data_offsets": [0]}), unfit("length 1")),
    "offsets turned round": (with_entries(x=entry(begin=8, end=0)), unfit("invalid ?offset")),
    "overlapping tensors": (with_entries(x=entry(), y=entry()), unfit("invalid ?offset")),
    "a gap": (with_entries(bytes(16), x=entry(begin=8, end=16)), unfit("invalid ?offset")),
    "data cut short": (with_entries(bytes(4), x=entry()), unfit("incomplete")),
    "more data": (with_entries(bytes(9), x=entry()), unfit("incomplete")),
    "a tensor's name of a megabyte": (
        with_entries(**{"n" * 2**20: entry(shape=[2])}),
        unfit("invalid"),
    ),
    "nothing but brackets": (
        with_header("[" + "[]," * (LARGEST_HEADER // 3 - 8) + "[]]"),
        "no JSON",
    ),
}


def text(**fields: Any) -> bytes:
    return repacked(lambda text, tensors: text.update(fields))


def layer(**fields: Any) -> bytes:
    return repacked(lambda text, tensors: text["layers"][0].update(fields))


def tensor(key: str, value: torch.Tensor) -> bytes:
    return repacked(lambda text, tensors: tensors.update({key: value}))


TEXTS = {
    "a newer schema": (text(schema_version=2), "schema version 2, .*: update neuroact"),
    "a schema version that is none": (text(schema_version=None), "schema version None"),
    "another schema": (
        text(schema="neuroact.report"),
        'expected "schema": "neuroact.recording" in its text',
    ),
    "no statistics": (text(statistics=[]), "not the statistics of a recording"),
    "Firing left out": (text(statistics=["neuroact.SpikeCounts"]), "text is damaged"),
    "a statistic that is code": (text(statistics=["neuroact.Firing", "os.system"]), "'os.system'"),
    "a module's name": (text(statistics=["neuroact.Firing", "neuroact.firing"]), "neuroact.firing"),
    "the protocol itself": (text(statistics=["neuroact.Statistic"]), "'neuroact.Statistic'"),
    "dt below 0": (text(dt=-1), "number of seconds above 0"),
    "a dt that is true": (text(dt=True), "text is damaged"),
    "a dt that is a text": (text(dt="1"), "text is damaged"),
    "an origin that is none": (text(origin=[]), "text is damaged"),
    "layers that are none": (text(layers={}), "expected a list of dict"),
    "a layer that is none": (text(layers=[[]]), "expected a list of dict"),
    "two layers of one name": (
        text(layers=[parts_of(GOOD)[1]["layers"][0]] * 2),
        "two of its layers have one name",
    ),
    "a name that is none": (layer(name=None), "expected a name"),
    "a name of a megabyte": (layer(name="n" * 2**20), "expected a name of up to 4,096"),
    "an alias of a megabyte": (layer(aliases=["n" * 2**20]), "expected a name of up to 4,096"),
    "a kind that is none": (layer(kind=[]), "text is damaged"),
    "other statistics in a layer": (layer(statistics=["neuroact.Firing"] * 2), "text is damaged"),
    "a layer without Firing": (layer(statistics=["neuroact.SpikeCounts"]), "text is damaged"),
    "neurons that are none": (layer(neurons="3"), "expected a list of int"),
    "other neurons": (layer(neurons=[4]), r"expected events to be torch.int64 of shape \[4\]"),
    "huge neurons": (layer(neurons=[2**40]), "expected events to be"),
    "neurons beyond int64": (layer(neurons=[2**70]), "expected events to be"),
    "negative neurons": (layer(neurons=[-3]), "expected events to be"),
    "neurons never seen": (layer(neurons=None), "never called, but has counts"),
    "no tensors": (b"".join(pack({}, json.dumps(parts_of(GOOD)[1]))), "called, but has no counts"),
}

TENSORS = {
    "a negative count": (tensor("0.0.events", -torch.ones(3).long()), r"count of -1\b"),
    "another dtype": (tensor("0.0.events", torch.ones(3)), "int64 of shape .*came torch.float32"),
    "another shape": (tensor("0.0.events", torch.ones(3, 1).long()), r"shape \[3\], came"),
    "too many events": (tensor("0.0.events", torch.full((3,), 11)), "events than observations"),
    "a count that leaves int64": (tensor("0.0.events", torch.full((3,), 2**62)), "count of 46116"),
    "a negative number of steps": (tensor("0.0.observations", torch.tensor(-1)), r"count of -1\b"),
    "faults of three kinds": (tensor("0.0.faults", torch.ones(3).bool()), r"shape \[2\], came"),
    "a total that is none": (
        tensor("0.0.total", torch.ones(3)),
        "expected total to be",
    ),
    "a key too many": (tensor("0.0.extra", torch.ones(3)), r"unknown \['extra'\]"),
    "a path in a key": (tensor("0.0.../../etc/passwd", torch.ones(3)), "unknown"),
    "a tensor of no layer": (tensor("7.0.events", torch.ones(3)), "belong to none of its layers"),
    "a tensor of no statistic": (tensor("0.99.events", torch.ones(3)), "belong to none"),
    "a place written otherwise": (tensor("00.0.events", torch.ones(3)), "belong to none"),
    "a name without places": (tensor("../../etc/passwd", torch.ones(3)), "belong to none"),
    "other neurons in a statistic": (
        tensor(f"{COUNTS}.shape", torch.tensor([2**40])),
        "neurons of shape",
    ),
    "a negative histogram": (tensor(f"{COUNTS}.histogram", -torch.ones(6).long()), r"count of -1"),
    "a histogram of histograms": (tensor(f"{COUNTS}.histogram", torch.ones(6, 2).long()), "shape"),
    "an open raster of terabytes": (
        repacked(
            lambda text, tensors: tensors.update(
                {
                    f"{RASTER}.lengths": torch.tensor([2**40]),
                    f"{RASTER}.limits": torch.tensor([2**40] * 3),
                    f"{RASTER}.events": torch.tensor([[0, 2**39, 0]]),
                }
            )
        ),
        "would take 1,649,267,441,766 of memory",
    ),
    "an event outside its raster": (
        tensor(f"{RASTER}.events", torch.tensor([[0, 0, 99]])),
        "within the sequences, steps and neurons kept",
    ),
    "an open sequence of 2^40 steps": (
        tensor(f"{COUNTS}.open_clock", torch.tensor([5, 2**40])),
        "would take 17,592,186,[0-9,]+ of memory",
    ),
    "more samples than it holds": (
        tensor(f"{COUNTS}.open_clock", torch.full((99_999,), 5)),
        "open_counts",
    ),
    "squares that no counts have": (
        tensor(f"{COUNTS}.squares", torch.ones(3).long()),
        "histogram: another sum of squares",
    ),
    "more numbers than pairs": (
        tensor(f"{COUNTS}.histogram", torch.tensor([1, 0, 0, 0, 0, 4])),
        "histogram: expected 6 numbers, came 11",
    ),
    "other sums than the histogram's": (
        tensor(f"{COUNTS}.sums", torch.full((3,), 99)),
        "squares: too small for these sums",
    ),
    "a layer that fires more often than it was observed": (
        tensor(f"{SYNCHRONY}.events", torch.full((3,), 11)),
        "events: more than there were steps",
    ),
    "a layer that fires less often than its steps": (
        tensor(f"{SYNCHRONY}.events", torch.full((3,), 9)),
        "histogram: another sum than that of all neurons",
    ),
    "intervals that are not in the histogram": (
        tensor(f"{INTERVALS}.intervals", torch.full((3,), 80)),
        "histogram: expected 240 numbers, came 24",
    ),
    "squares that no intervals have": (
        tensor(f"{INTERVALS}.squares", torch.full((3,), 2)),
        "squares: too small",
    ),
    "more pairs than intervals": (
        tensor(f"{INTERVALS}.pairs", torch.full((3,), 9)),
        "pairs: more than there are intervals",
    ),
    "squares that no steps have": (
        tensor(f"{COURSE}.squares", torch.ones(5).long()),
        "squares: too small for these events",
    ),
    "more events at a step than neurons": (
        tensor(f"{COURSE}.events", torch.full((5,), 7)),
        "events",
    ),
    "more first spikes than spikes": (
        tensor(f"{COURSE}.first_spikes", torch.full((5,), 7)),
        "first_spikes: more than there are events",
    ),
    "a total that is not finite": (
        tensor("0.0.total", torch.full((3,), torch.inf, dtype=torch.float64)),
        "total is not finite",
    ),
    "more spikes than steps": (
        tensor(f"{COUNTS}.open_counts", torch.full((2, 3), 9)),
        "more than its open sequences have steps",
    ),
}


@pytest.mark.parametrize("case", [*FOREIGN, *HEADERS, *TEXTS, *TENSORS])
def test_a_foreign_newer_or_hostile_file_is_one_clear_error(case: str) -> None:
    refused(*{**FOREIGN, **HEADERS, **TEXTS, **TENSORS}[case])


def test_the_file_and_the_layer_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run.nact"
    path.write_bytes(TENSORS["a negative count"][0])
    with pytest.raises(
        RecordingFileError, match=r'run.nact: layer "lif" .* Firing are dam'
    ) as caught:
        Recording.load(path)
    assert caught.value.layer == "lif"


def test_a_large_file_of_another_kind_is_refused_by_its_header(tmp_path: Path) -> None:
    """The file is sparse, of a terabyte: reading it whole would take all memory."""
    path = tmp_path / "weights.safetensors"
    size = 2**40
    header = json.dumps({"w": entry("U8", [size], 0, size)})
    path.write_bytes(with_header(header))
    with path.open("r+b") as file:
        file.truncate(8 + len(header) + size)
    with pytest.raises(RecordingFileError, match="not one that neuroact wrote"):
        Recording.load(path)


def going_on(statistic: Any, steps: int, **limits: int) -> bytes:
    """A file of a few hundred bytes that claims an open sequence of so many steps."""
    recording = fed(Stream((np.ones((2, 1, 3)),), (3,)), statistics=[statistic])
    kept = {f"0.{n}": s.state_dict() for n, s in enumerate(settled(recording))}
    if statistic is Raster:
        kept["0.1"]["lengths"] = torch.tensor([steps])
        kept["0.1"]["limits"] = torch.tensor([1, steps, 3])
        kept["0.1"]["events"][-1, 1] = steps - 1
    else:
        kept["0.1"]["open_clock"] = torch.tensor([steps])
    if statistic is SpikeCounts:
        kept["0.1"]["open_counts"] = torch.full((1, 3), steps)
    tensors = {f"{place}.{key}": t for place, state in kept.items() for key, t in state.items()}
    return b"".join(pack(tensors, json.dumps(parts_of(recording.to_bytes())[1])))


OPENED = (SpikeCounts, Raster, InterspikeIntervals, TimeCourse)


@pytest.mark.parametrize("statistic", OPENED, ids=lambda cls: cls.__name__)
def test_a_file_too_small_for_the_memory_that_it_takes_to_read_is_refused(statistic: Any) -> None:
    Recording.from_bytes(going_on(statistic, 2**20))
    data = going_on(statistic, 2**27)
    assert len(data) < 3000
    refused(
        data,
        r"^reading its [\d,]+ bytes would take [\d,]+ of memory, "
        "for long sequences that are still open",
    )


def test_a_recording_of_a_long_sequence_is_read_as_it_was_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its file is padded, so that reading takes memory in proportion to its length."""
    # Else it would take millions of steps to need padding.
    monkeypatch.setattr("neuroact.recording.recording_file._FREE", 0)
    recording = Recording(statistics=[SpikeCounts, partial(Raster, steps=2**18)])
    for number in range(3):
        step = torch.zeros(2**15, 1, 8)
        step[-1] = 1
        recording.observe("lif", step, starts_sequence=number == 0)
    data = recording.to_bytes()
    assert len(data) > working_memory_of(recording) / 64 > 30_000
    again = Recording.from_bytes(data)
    assert bits_of(again) == bits_of(recording)
    assert again.report() == recording.report()
    assert again.to_bytes() == data
    monkeypatch.setattr("neuroact.recording.recording_file._TIMES", 32)
    refused(data, "for long sequences that are still open")


def working_memory_of(recording: Recording) -> int:
    statistics = settled(recording)
    return sum(working_memory(statistic, statistic.state_dict()) for statistic in statistics)


def test_no_hostile_file_takes_memory_out_of_proportion_to_its_size(tmp_path: Path) -> None:
    """The address space of a process of its own is measured, since reserved memory counts too.

    The process has one thread, since further threads take address space of their own at any time.
    """
    cases = [data for data, _ in {**FOREIGN, **HEADERS, **TEXTS, **TENSORS}.values()]
    cases += [going_on(statistic, 2**n) for statistic in OPENED for n in range(18, 40)]
    for number, data in enumerate(cases):
        (tmp_path / f"{number}.nact").write_bytes(data)
    (tmp_path / "good.first").write_bytes(GOOD)
    program = textwrap.dedent("""
        import contextlib
        import sys
        from pathlib import Path
        from neuroact import Raster, Recording, SpikeCounts
        from neuroact.errors import RecordingFileError

        def peak():
            status = Path("/proc/self/status").read_text()
            return int(status.partition("VmPeak:")[2].split()[0]) * 1024

        folder = Path(sys.argv[1])
        Recording.load(folder / "good.first").report()  # loads code once, which stays
        for path in sorted(folder.glob("*.nact"), key=lambda path: path.stat().st_size):
            before = peak()
            with contextlib.suppress(RecordingFileError):
                Recording.load(path).report()
            allowed = 2**27 + 64 * path.stat().st_size
            assert peak() - before < allowed, (path, peak() - before, allowed)
    """)
    threads = ("OMP", "MKL", "OPENBLAS", "NUMBA")
    alone = {f"{name}_NUM_THREADS": "1" for name in threads} | {"MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, **alone})


class Mutations:
    """Thousands of ways to write a nearly right file, with a checksum that fits."""

    values = (
        None, True, -1, 0, 1, 5, 2**31, 2**62, 2**63, 2**70, -0.5, 1e300, "", "x", "x" * 5000,
        "../x", "neuroact.Firing", "neuroact.TimeCourse", [], [1], [-1], [2**40], {}, {"a": []},
    )  # fmt: skip
    fills = (-(2**63), -1, 0, 1, 4, 6, 2**24, 2**40, 2**62, 2**63 - 1)

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def __call__(self, text: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        for _ in range(self.random.randint(1, 2)):
            if self.random.random() < 0.5:
                self.change_text(text)
            else:
                self.change_tensors(tensors)

    def change_text(self, found: Any) -> None:
        while True:
            keys = list(found) if isinstance(found, dict) else list(range(len(found)))
            if not keys:
                return
            key = self.random.choice(keys)
            if isinstance(found[key], dict | list) and self.random.random() < 0.7:
                found = found[key]
                continue
            change = self.random.random()
            if change < 0.2:
                del found[key]
            elif change < 0.3 and isinstance(found, list):
                found.append(found[key])
            else:
                found[key] = self.random.choice(self.values)
            return

    def change_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        name = self.random.choice(list(tensors))
        tensor = tensors.pop(name)
        change = self.random.randrange(6)
        if change == 0:
            return
        if change == 1:
            name = self.random.choice(
                ["0.0.events", f"{COUNTS}.shape", "1.0.x", name + "x", "", "0.0."]
            )
        elif change == 2:
            tensor = tensor.to(self.random.choice([torch.bool, torch.int32, torch.float64]))
        elif change == 3:
            shape = self.random.choice([(), (0,), (1,), (2,), (7,), (2, 3), (3, 1), (2, 0, 3)])
            tensor = torch.ones(shape, dtype=tensor.dtype)
        elif tensor.numel():
            tensor = tensor.clone()
            at = self.random.randrange(tensor.numel())
            tensor.view(-1)[at] = self.random.choice(self.fills)
        tensors[name] = tensor


@pytest.mark.filterwarnings("ignore::neuroact.errors.NeuroactWarning")
def test_thousands_of_nearly_right_files_are_read_or_refused() -> None:
    """A file that is read can be reported, merged and saved: no error comes later."""
    outcomes = {"read": 0, "refused": 0}
    for seed in range(1000):
        data = repacked(Mutations(seed), GRADED if seed % 4 == 0 else GOOD)
        try:
            recording = Recording.from_bytes(data)
        except RecordingFileError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        with contextlib.suppress(NothingRecordedError):
            look_at(recording.report())
        with contextlib.suppress(MergeError):
            Recording.from_bytes(GOOD).merge(recording)
        with contextlib.suppress(MergeError):
            recording.merge(Recording.from_bytes(GOOD))
        assert bits_of(Recording.from_bytes(recording.to_bytes())) == bits_of(recording)
    assert min(outcomes.values()) > 30, outcomes


def test_thousands_of_damaged_files_are_refused() -> None:
    draw = random.Random(0)
    for _ in range(3000):
        damaged = bytearray(GOOD)
        for _ in range(draw.randint(1, 4)):
            at, length = draw.randrange(len(damaged)), draw.choice([1, 2, 8, 100])
            change = draw.randrange(4)
            if change == 0:
                del damaged[at : at + length]
            elif change == 1:
                damaged[at:at] = damaged[at : at + length]
            elif change == 2:
                damaged[at : at + length] = draw.randbytes(length)
            else:
                damaged[at] = draw.choice(b'{}[]",:0919e-\x00\xff')
        if damaged != GOOD:
            refused(bytes(damaged))
