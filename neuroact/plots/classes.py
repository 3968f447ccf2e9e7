"""What each neuron of a layer does for each class of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import (
    COLOUR_MAP,
    COLUMN,
    FONT,
    PLAIN,
    SMALL,
    activity_label,
    in_hertz,
    new_axes,
    per_unit,
    plain_look,
    shown_name,
    whole_ticks,
)
from neuroact.plots.grid import colour_bar
from neuroact.plots.results import result_of
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.statistics import ClassActivityResult

_HEIGHT = 2.2  # inches of the axes
_MOST_ROWS = 500
_MOST_NUMBERED = 30
"""Up to so many neurons have their number at the left."""


def neurons_by_class(
    result: ClassActivityResult,
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Activity of a layer's neurons for each class, those of one class together.

    Neurons stand by the class for which they are most active, and among those by selectivity, the
    most selective first. Neurons that never fired come last. Of more than 500, neighbours share a
    row.

    Returns:
        Activity, float64 `[rows, classes]`, the mean of each row's neurons, NaN for a class never
        observed; the neurons in this order, int64 `[neurons]`, numbered as in the flattened layer;
        and how many share a row.

    >>> import numpy as np
    >>> from neuroact.plots.classes import neurons_by_class
    >>> from neuroact.statistics import ClassActivityResult
    >>> result = ClassActivityResult(                # two classes, three neurons, two steps of each
    ...     class_observations=np.array([2, 2]), class_events=np.array([[0, 0, 2], [0, 1, 2]]),
    ...     class_total=np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 2.0]]),
    ... )
    >>> activity, order, _ = neurons_by_class(result)
    >>> order.tolist(), activity.tolist()
    ([2, 1, 0], [[1.0, 1.0], [0.0, 0.5], [0.0, 0.0]])
    """
    activity = result.activity.reshape(result.classes, -1).T
    preferred = result.preferred.ravel()
    last = np.where(preferred < 0, result.classes, preferred)
    order = np.lexsort((-np.nan_to_num(result.selectivity.ravel()), last))
    shared = max(1, -(-len(order) // _MOST_ROWS))
    firsts = np.arange(0, len(order), shared)
    numbers = np.diff(np.append(firsts, len(order)))
    rows = np.add.reduceat(activity[order], firsts, axis=0) if len(firsts) else activity
    return rows / numbers.reshape(-1, 1), order, shared


def class_plot(layer: LayerActivity, *, ax: Axes | None = None) -> Axes:
    """A row for each neuron of a layer, a column for each class, and average activity as colour.

    `neurons_by_class` defines the order of the rows. Up to 30 neurons have their number at the
    left. A class that was never observed is white. The unit is as in `box_plot`.

    Args:
        layer: one layer of a report; recorded with the statistic `ClassActivity`, with labels.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: the layer has no results of `ClassActivity`.
        ValueError: the layer's values cannot be trusted, or no sample had a label.
        MissingExtraError: matplotlib is not installed.

    >>> import neuroact, torch
    >>> recording = neuroact.Recording(statistics=[neuroact.ClassActivity])
    >>> with recording.batch(labels=[0, 1]):
    ...     recording.observe("lif", torch.eye(2).expand(4, 2, 2))
    >>> class_plot(recording.report()["lif"]).images[0].get_array().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    result = result_of(layer, "ClassActivity")
    if (reason := class_problem(layer)) is not None:
        raise ValueError(f'layer "{layer.name}" cannot be drawn: {reason}')
    from matplotlib import colormaps

    activity, order, shared = neurons_by_class(result)
    axes = new_axes(COLUMN, _HEIGHT + 1.0) if ax is None else ax
    image = axes.imshow(
        np.ma.masked_invalid(activity * per_unit(layer, in_hertz([layer]))),
        cmap=colormaps[COLOUR_MAP].with_extremes(bad="white"),
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, result.classes - 0.5, len(order) - 0.5, -0.5),
    )
    bar = colour_bar(axes, image, activity_label([layer]))
    bar.ax.set_title(shown_name(layer.name, 44), fontsize=FONT, **PLAIN)
    whole_ticks(axes.xaxis)
    if len(order) <= _MOST_NUMBERED:
        axes.set_yticks(range(len(order)), [f"{neuron:,}" for neuron in order])
    else:
        axes.set_yticks([])
    axes.set_xlabel("class")
    axes.set_ylabel(about_rows(len(order), shared))
    plain_look(axes)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", labelsize=SMALL, length=0)
    return axes


def class_problem(layer: LayerActivity) -> str | None:
    """Why a layer's activity by class cannot be drawn; None if it can."""
    if layer.problem is not None:
        return layer.problem
    if not layer.results["ClassActivity"].class_observations.any():
        return "no sample had a label; give labels by recording.batch(labels=...)"
    return None


def about_rows(neurons: int, shared: int) -> str:
    """What the rows are, in words."""
    each = f"; a row is {shared:,} neurons" if shared > 1 else ""
    return f"{neurons:,} neuron{'s' * (neurons != 1)}, by the class they prefer{each}"
