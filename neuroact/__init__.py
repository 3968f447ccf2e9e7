"""What a spiking network's neurons do, measured the same way in every framework.

::

    layer's forward call                     any framework
       │  args, kwargs, output, module state
    an Adapter's read()                      neuroact.adapter, neuroact_adapters
       │  SpikeChunk: values[time, batch, *neurons], kind, starts_sequence, valid
    each layer's forward, stood in for       neuroact.recorder, .layer, .reader, .hooks
       │
    update · merge · reset · state · result  neuroact.statistics
       │  integer counts per neuron
    ActivityReport: frozen, numpy only       neuroact.report, .activity
       │
    table · plots · page · files · frame     neuroact.table, .plots, .html, .report_file, .frame

Left of `SpikeChunk` only frameworks are known; right of it nobody knows a framework.
"""

from neuroact import distributed, quantiles
from neuroact.adapter import Adapter, LayerCall, StatefulAdapter
from neuroact.compare import compare
from neuroact.comparison import Comparison
from neuroact.measure import measure
from neuroact.provenance import installed_version
from neuroact.recorder import Recording, record
from neuroact.report import ActivityReport, LayerActivity
from neuroact.statistics import (
    ClassActivity,
    Firing,
    InterspikeIntervals,
    Raster,
    SpikeCounts,
    Statistic,
    Synchrony,
    TimeCourse,
)
from neuroact.stream import SignalKind, SpikeChunk, SpikeSink

__all__ = [
    "ActivityReport",
    "Adapter",
    "ClassActivity",
    "Comparison",
    "Firing",
    "InterspikeIntervals",
    "LayerActivity",
    "LayerCall",
    "Raster",
    "Recording",
    "SignalKind",
    "SpikeChunk",
    "SpikeCounts",
    "SpikeSink",
    "StatefulAdapter",
    "Statistic",
    "Synchrony",
    "TimeCourse",
    "compare",
    "distributed",
    "measure",
    "quantiles",
    "record",
]

__version__ = installed_version("neuroact") or "0+unknown"
