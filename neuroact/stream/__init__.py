"""The spike-stream protocol: the one boundary between frameworks and statistics."""

from neuroact.stream.chunk import SignalKind, SpikeChunk, SpikeSink, as_stream
from neuroact.stream.tensors import as_tensor

__all__ = ["SignalKind", "SpikeChunk", "SpikeSink", "as_stream", "as_tensor"]
