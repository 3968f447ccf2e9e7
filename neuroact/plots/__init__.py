"""Pictures of a report. They need the extra `plots`.

There is one function for each picture. It draws into the axes `ax`, or makes a figure of its own,
as wide as a paper's column unless names need more. It returns the axes, shows nothing on a screen,
and does not use pyplot. A report read from a file gives the same picture as a live one.
"""

from neuroact.plots.box import MOST_OUTLIERS, BoxStats, box_plot, box_stats
from neuroact.plots.classes import class_plot, neurons_by_class
from neuroact.plots.comparison import comparison_plot
from neuroact.plots.curve import curve_plot, sorted_activity
from neuroact.plots.figure import FORMATS, image_bytes, save_figure
from neuroact.plots.history import HISTORY_METRICS, history_plot
from neuroact.plots.intervals import interval_plot
from neuroact.plots.kinds import KINDS, draw
from neuroact.plots.neurons import neuron_map
from neuroact.plots.operations import operations_plot
from neuroact.plots.raster import raster_plot
from neuroact.plots.signal import signal_plot, signal_time_plot
from neuroact.plots.time import time_plot
from neuroact.plots.violin import Silhouette, silhouette, violin_plot

__all__ = [
    "FORMATS",
    "HISTORY_METRICS",
    "KINDS",
    "MOST_OUTLIERS",
    "BoxStats",
    "Silhouette",
    "box_plot",
    "box_stats",
    "class_plot",
    "comparison_plot",
    "curve_plot",
    "draw",
    "history_plot",
    "image_bytes",
    "interval_plot",
    "neuron_map",
    "neurons_by_class",
    "operations_plot",
    "raster_plot",
    "save_figure",
    "signal_plot",
    "signal_time_plot",
    "silhouette",
    "sorted_activity",
    "time_plot",
    "violin_plot",
]
