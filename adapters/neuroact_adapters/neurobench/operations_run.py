"""The synaptic operations of one benchmark run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neuroact import Recording, SignalKind, SpikeChunk
from neuroact.layers.adapter import LayerCall
from neuroact.layers.connections import ConnectionInput
from neuroact.recording.connections import Connections, watched_connections
from neuroact.recording.start import begin
from neuroact.recording.watched_layer import WatchedLayer
from neuroact.report.operations_report import OperationsReport
from neuroact.stream.chunk import dense
from neuroact_adapters.neurobench.layers import message_of

Split = Literal["event", "call"]


class OperationsRun:
    """Counts what arrives at a model's layers, from the start of a run to its last batch.

    Args:
        split: as in `SynapticOperationsMetric.configured`.
        batch_dim: as there.

    Attributes:
        names: keys of the figures.
        samples: samples of the batches so far.
    """

    names = ("Effective_MACs", "Effective_ACs", "Dense")

    def __init__(self, split: Split, batch_dim: int) -> None:
        self.samples = 0
        self._batches = 0
        self._last: int | None = None
        self._split, self._batch_dim = split, batch_dim
        self._recording: Recording | None = None
        self._connections: Connections | None = None
        self._failure: str | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it is known that another batch follows."""
        return self._last is not None and self._batches < self._last

    @property
    def problem(self) -> str | None:
        """Why the run has no figures; None if it has."""
        if self._failure is None and self._batches == 0:
            return "no batch was run"
        if self._failure is None and self.samples == 0:
            return "its batches have no samples"
        return self._failure

    def watch(self, model: Any, batches: int | None) -> None:
        """Count from now on. It never raises; it remembers the problem.

        Args:
            model: a NeuroBenchModel.
            batches: after so many, the model is let go of; None for not before `close`.
        """
        self._last = batches
        try:
            net = model.__net__()
            if not isinstance(net, nn.Module):
                kind = type(net).__name__
                raise TypeError(f"expected the network to be a torch.nn.Module, came {kind}")
            self._recording, self._connections = _recording_of(net, self._split)
        except Exception as cause:
            self._failure = message_of(cause)

    def end_batch(self, batch: Any) -> None:
        """Say that the model ran a batch of the data loader. It never raises, as `watch`."""
        if self._failure is not None:
            return  # A run that missed a batch has no figures, even if the next batches are fine.
        try:
            self._end_batch(batch)
        except Exception as cause:
            self._failure = message_of(cause)
            self.close()

    def close(self) -> None:
        """Let go of the model; the figures stay readable."""
        if self._recording is not None:
            self._recording.close()

    def operations(self) -> OperationsReport:
        """The operations so far. There has to be no `problem`."""
        assert self._connections is not None
        found = self._connections.operations()
        return OperationsReport(
            found.values(),
            not_counted=found.not_counted,
            samples={"the data loader": self.samples},
        )

    def figures(self) -> dict[str, Any]:
        """Plain figures, as `SynapticOperationsMetric` describes them."""
        nothing = dict.fromkeys(self.names)
        if self.problem is not None:
            return nothing | {"error": f"no figures: {self.problem}"}
        operations = self.operations()
        missing = dict(operations.not_counted)
        if not operations:
            return nothing | {"error": "no figures: no layer was counted", "not_counted": missing}
        total = operations.per_sample.total
        figures = dict(zip(self.names, (total.macs, total.acs, total.dense), strict=True))
        return figures | ({"not_counted": missing} if missing else {})

    def problems(self) -> list[str]:
        """What is known by now to be wrong; each entry names its layer."""
        if self.problem is not None or self._connections is None:
            return [f"the run: {self.problem}"]
        found = self._connections.not_counted | {
            name: each.problem
            for name, each in self._connections.by_name.items()
            if each.problem is not None
        }
        if self._batches == self._last:
            found |= self.operations().not_counted
        return [f'"{name}": {why}' for name, why in found.items()]

    def _end_batch(self, batch: Any) -> None:
        if self._recording is None:
            raise ValueError(
                "the model was not known before its first batch, so that batch was not seen. Where "
                "no Benchmark's run calls the metric, call metric.watch(model) before the model"
            )
        if self._batches == self._last:
            raise ValueError(
                f"the data loader gave more batches than the {self._last} that its length says, "
                "after which the model was let go of: have len(loader) say how many there are"
            )
        self.samples += batch[0].size(self._batch_dim)
        self._batches += 1
        if self._batches == self._last:
            self.close()


def _recording_of(net: nn.Module, split: Split) -> tuple[Recording, Connections]:
    """A recording of what arrives at the layers of a network, and of nothing else."""
    recording = Recording()
    connections, tied = watched_connections(net)
    recording._connections = connections
    for connection, module, reader, passed_by in tied:
        read = _ByCall(connection.reader) if split == "call" else reader
        watched = WatchedLayer(connection.layer, module, read, passed_by=passed_by)
        recording._watched.append(watched)
    begin(recording)
    return recording, connections


class _ByCall:
    """Reads what arrives so that all operations of a call are MACs, or all are ACs.

    As in NeuroBench, the first argument of the call decides, also where others arrive beside it.
    """

    framework = "torch"

    def __init__(self, reader: ConnectionInput) -> None:
        self._reader = reader

    def kind(self, module: nn.Module) -> SignalKind:
        return self._reader.kind(module)

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        first, mixed = next(iter([*args, *kwargs.values()]), None), None
        try:
            if isinstance(first, Tensor):
                values = dense(first.detach())
                mixed = (values.ne(0) & ~_ones(values)).any()
        except Exception as cause:  # the model runs on, whatever its layers are given
            self._reader.problem = str(cause)
        return self._reader.given(module, args, kwargs), mixed

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        state: Any = call.state
        given, mixed = state
        chunk = self._reader.read(module, replace(call, state=given))
        values = chunk.values
        if mixed is None:
            return chunk
        # Nobody waits for the device to know `mixed`. Events of 1.5 multiply, those of 1 add.
        multiplies = torch.where(_ones(values), 1.5, values)
        adds = torch.where(values.ne(0) & values.isfinite(), 1, values)
        return replace(chunk, values=torch.where(mixed, multiplies, adds))


def _ones(values: Tensor) -> Tensor:
    return values.eq(1) | values.eq(-1)
