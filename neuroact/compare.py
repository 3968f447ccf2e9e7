"""Two or more reports beside each other: before and after, one framework and another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuroact.comparison import Comparison, LayerComparison
from neuroact.errors import ComparisonError
from neuroact.report import ActivityReport, LayerActivity

LayerMap = Mapping[str, str | Sequence[str]]


def compare(
    first: ActivityReport,
    *others: ActivityReport,
    labels: Sequence[str] | None = None,
    layers: LayerMap | None = None,
) -> Comparison:
    """Compare reports with the first one, layer by layer.

    Live reports and loaded ones, of the same network or of others: before and after training, an
    ANN and an SNN, one framework and another, epoch after epoch.

    Args:
        first: what the others are compared with.
        *others: one report or more.
        labels: a name for each report, the first too; "1", "2", … where None.
        layers: names in the first report, and the name in the others: one for all of them, or one
            for each. Layers not in it are matched by name, or by an alias.

    Returns:
        The differences, which print as a table. What was matched with nothing is in
        `Comparison.unmatched`.

    Raises:
        ComparisonError: fewer than two reports; labels that are not one for each, or not
            different; a layer given to two; or no layer of the first that any other has.
        UnknownLayerError: `layers` names a layer that a report has not.

    >>> import numpy as np
    >>> import neuroact
    >>> def report(*events):
    ...     recording = neuroact.Recording()
    ...     recording.observe("lif", np.array([[events]]))
    ...     return recording.report()
    >>> comparison = neuroact.compare(report(0, 1), report(1, 1), labels=("before", "after"))
    >>> difference = comparison["lif"].differences["after"]
    >>> difference.mean, difference.dead, difference.distance
    (0.5, -1, 0.5)
    """
    reports = (first, *others)
    named = dict(zip(_labels(labels, len(reports)), reports, strict=True))
    partners = [_partners(first, other, n, layers or {}) for n, other in enumerate(others)]
    matched = []
    for name, layer in first.items():
        found = dict(zip(list(named)[1:], (p.get(name) for p in partners), strict=True))
        there = {label: partner for label, partner in found.items() if partner is not None}
        if there:
            matched.append(LayerComparison(name, {next(iter(named)): layer, **there}))
    if not matched:
        raise ComparisonError(
            "no layer of the first report has the name of one of the others. Say which is which "
            'with layers={"name in the first": "name in the other"}. '
            + "; ".join(f"{label} has {', '.join(r) or 'none'}" for label, r in named.items())
        )
    return Comparison(named, matched)


def _labels(labels: Sequence[str] | None, reports: int) -> list[str]:
    if reports < 2:
        raise ComparisonError("expected two reports or more to compare, came one")
    found = [str(n + 1) for n in range(reports)] if labels is None else list(labels)
    if len(found) != reports or len(set(found)) != reports:
        raise ComparisonError(
            f"expected labels= to be {reports} different names, one for each report, came {found}"
        )
    return found


def _partners(
    first: ActivityReport, other: ActivityReport, place: int, layers: LayerMap
) -> dict[str, LayerActivity]:
    """The layer of the other report for each of the first's that has one."""
    said = {first[ours].name: other[_at(ours, to, place)] for ours, to in layers.items()}
    taken = [layer.name for layer in said.values()]
    if len(set(taken)) < len(taken):
        twice = next(name for name in taken if taken.count(name) > 1)
        raise ComparisonError(f'layers= gives the layer "{twice}" to two', layer=twice)
    for ours, layer in first.items():
        partner = next((p for n in (ours, *layer.aliases) if (p := other.get(n))), None)
        if ours not in said and partner is not None and partner.name not in taken:
            said[ours] = partner
            taken.append(partner.name)
    return said


def _at(ours: str, to: str | Sequence[str], place: int) -> str:
    if isinstance(to, str):
        return to
    if place >= len(to):
        raise ComparisonError(
            f'layers= names {len(to)} partners of the layer "{ours}", expected one for each report '
            "after the first",
            layer=ours,
        )
    return to[place]
