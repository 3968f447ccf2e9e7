"""What `neuroact` offers: its public names, with all that they bring.

`neuroact` loads this file when it is first asked for one of them.
"""

from neuroact import distributed, energy, quantiles
from neuroact.layers.adapter import Adapter, LayerCall, StatefulAdapter
from neuroact.layers.call_pattern import CallPattern, PatternAdapter
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.reading import Reading
from neuroact.recording import cards as _cards_of_recordings  # noqa: F401  # declares them
from neuroact.recording.measure import measure
from neuroact.recording.recording import Recording
from neuroact.recording.start import record
from neuroact.report.activity_report import ActivityReport
from neuroact.report.comparison import Comparison, compare
from neuroact.report.history import History
from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics import (
    ClassActivity,
    Firing,
    InterspikeIntervals,
    Raster,
    Signal,
    SpikeCounts,
    Statistic,
    Synchrony,
    TimeCourse,
)
from neuroact.stream.chunk import SignalKind, SpikeChunk, SpikeSink
from neuroact.stream.product import SynapticProduct
from neuroact.table import cards as _cards_of_results  # noqa: F401  # declares them

__all__ = [
    "ActivityReport",
    "Adapter",
    "CallPattern",
    "ClassActivity",
    "Comparison",
    "Firing",
    "History",
    "InterspikeIntervals",
    "LayerActivity",
    "LayerCall",
    "LayerInfo",
    "PatternAdapter",
    "Raster",
    "Reading",
    "Recording",
    "Signal",
    "SignalKind",
    "SpikeChunk",
    "SpikeCounts",
    "SpikeSink",
    "StatefulAdapter",
    "Statistic",
    "SynapticProduct",
    "Synchrony",
    "TimeCourse",
    "compare",
    "distributed",
    "energy",
    "measure",
    "quantiles",
    "record",
]
