"""A report as pictures; needs the extra `plots`.

One function a picture. Each takes `ax`, axes to draw into, or makes a figure of its own, as wide
as a paper's column where the names leave room; returns the axes; never shows anything, and leaves
pyplot alone. A report read from a file gives the same picture as a live one.
"""

from neuroact.plots.box import MOST_OUTLIERS, BoxStats, box_plot, box_stats
from neuroact.plots.comparison import comparison_plot
from neuroact.plots.curve import curve_plot, sorted_activity
from neuroact.plots.figure import FORMATS, image_bytes, save_figure
from neuroact.plots.neurons import neuron_map
from neuroact.plots.violin import Silhouette, silhouette, violin_plot

__all__ = [
    "FORMATS",
    "MOST_OUTLIERS",
    "BoxStats",
    "Silhouette",
    "box_plot",
    "box_stats",
    "comparison_plot",
    "curve_plot",
    "image_bytes",
    "neuron_map",
    "save_figure",
    "silhouette",
    "sorted_activity",
    "violin_plot",
]
