"""Statistics of a layer's stream, in memory that grows with the neurons and not with the data.

Each statistic has its own file. You can write your own: a class that takes no arguments and has
the methods of `Statistic`. `neuroact.record(model, statistics=[YourStatistic])` runs it beside
`Firing`.
"""

from neuroact.statistics.choice import BUILT_IN
from neuroact.statistics.class_activity import ClassActivity, ClassActivityResult
from neuroact.statistics.counting.open_sequences import OpenSequences
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.firing import Firing, FiringResult
from neuroact.statistics.interspike_intervals import (
    InterspikeIntervals,
    InterspikeIntervalsResult,
)
from neuroact.statistics.protocol import Statistic, check_kind
from neuroact.statistics.raster import Raster, RasterResult
from neuroact.statistics.signal import Signal
from neuroact.statistics.signal_result import SignalResult
from neuroact.statistics.spike_counts import SpikeCounts, SpikeCountsResult
from neuroact.statistics.synchrony import Synchrony, SynchronyResult
from neuroact.statistics.time_course import TimeCourse, TimeCourseResult

__all__ = [
    "BUILT_IN",
    "ClassActivity",
    "ClassActivityResult",
    "Firing",
    "FiringResult",
    "InterspikeIntervals",
    "InterspikeIntervalsResult",
    "OpenSequences",
    "Raster",
    "RasterResult",
    "Signal",
    "SignalResult",
    "SpikeCounts",
    "SpikeCountsResult",
    "Statistic",
    "StepBlock",
    "Synchrony",
    "SynchronyResult",
    "TimeCourse",
    "TimeCourseResult",
    "check_kind",
]
