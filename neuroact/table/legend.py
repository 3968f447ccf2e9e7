"""The notes below the table: what its figures mean, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuroact.printable import printable
from neuroact.results.diagnosis import Verdict, diagnose
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table.totals import Totals

if TYPE_CHECKING:
    from neuroact.results.layers import Layers

MEANINGS = {
    "activity": "of a neuron: mean of its values over all steps; if binary, spikes per step",
    "mean to max": "of the activity over neurons; std with ddof 0, quartiles of type 7 (linear)",
    "histogram": "of the activity over neurons, in eight bins from min to max",
    "sequences": "how many sequences of samples began",
    "steps": "observations, the (time step, sample) pairs: how often each neuron was observed",
    "sparsity": "share of values that are 0; of the total, among all values of its layers",
    "dead": "neurons whose values are all 0: they never fired",
    "saturated": "neurons with no value 0: they fired at every step",
}
_WITHOUT_SPIKES = {
    "activity": "of a neuron: mean of its values over all steps",
    "dead": "neurons whose values are all 0",
    "saturated": "neurons with no value 0",
}
_RATE = "mean firing rate of a neuron per second: mean / time step"
_KINDS = {
    SignalKind.GRADED: "few levels, signed, scaled or several spikes at once; 0 is silent",
    SignalKind.ANALOG: "real values, no spikes; only after a ReLU does a value of 0 say something",
}
_MOST_SENTENCES = 4


@dataclass(frozen=True, slots=True)
class Hints:
    """How more is asked for, in the words of the place where the table is printed.

    Attributes:
        verdicts: how thresholds and advice are shown.
        unfolded: how every layer is shown.
        legend: how the words are explained.
        results: how the results of other statistics are shown; `{layer}` and `{statistic}` stand
            for the first ones.
        happened: how all that happened to a history's layers is listed.
        by_layer: how each layer is shown in each report of a history.
    """

    verdicts: str = "report.diagnose()"
    unfolded: str = "report.table(fold=False)"
    legend: str = "report.table(legend=True)"
    results: str = 'report["{layer}"]["{statistic}"]'
    happened: str = "history.diagnose()"
    by_layer: str = "history.to_frame(), history.plot(), history.to_html()"


IN_PYTHON = Hints()
IN_COMMANDS = Hints(
    verdicts="neuroact html FILE",
    unfolded="neuroact show FILE --no-fold",
    legend="neuroact show FILE --legend",
    results="neuroact html FILE shows them",
    happened="neuroact html FILE",
    by_layer="neuroact plot FILE, neuroact html FILE",
)


def notes(
    report: Layers,
    verdicts: Sequence[Verdict] | None = None,
    *,
    legend: bool = True,
    hints: Hints = IN_PYTHON,
) -> dict[str, str]:
    """The notes by term; each is a line below the table.

    Args:
        report: what the table shows.
        verdicts: the verdicts on it. None: `diagnose` is called.
        legend: whether the words of the table are explained too, and versions are listed.
        hints: how more is asked for.
    """
    layers = list(report.values())
    found = _marked(diagnose(layers) if verdicts is None else verdicts, hints)
    if legend:
        found |= MEANINGS
    if legend and layers and all(layer.kind is SignalKind.ANALOG for layer in layers):
        found |= _WITHOUT_SPIKES
    same = {term: same_in_all(layers, attribute) for term, attribute in COUNTS.items()}
    counts = {term: count for term, count in same.items() if count is not None}
    if legend:
        found |= {n: f"{count:,}, in each layer: {MEANINGS[n]}" for n, count in counts.items()}
    elif counts:
        listed = (
            f"{count:,} {term.removesuffix('s') if count == 1 else term}"
            for term, count in reversed(counts.items())
        )
        found["observed"] = f"{joined(listed)} in each layer"
    if left_out := Totals.of(layers).left_out:
        found["total"] = f"of all layers but {joined(left_out)}"
    for kind, meaning in _KINDS.items():
        if names := [layer.name for layer in layers if layer.kind is kind]:
            found[kind.value] = f"{joined(names)}: {meaning}"
    if steps := {layer.dt for layer in layers if layer.dt is not None}:
        if legend:
            found["Hz"] = _RATE
        found["time step"] = joined(f"{dt:g} s" for dt in sorted(steps))
    reasons = {layer.name: layer.problem for layer in layers}
    if missing := [f"{name}: {reason}" for name, reason in reasons.items() if reason]:
        found["no figures"] = joined(missing, "; ")
    if report.not_called:
        found["not called"] = f"{joined(report.not_called)}: recorded, but without figures"
    if aliases := [f"{x.name} is also {joined(x.aliases)}" for x in layers if x.aliases]:
        found["aliases"] = joined(aliases, "; ")
    if others := _others(layers, hints):
        found["also"] = others
    found |= _origin(report.origin, legend=legend)
    return found if legend else found | {"legend": f"{hints.legend} explains the words"}


COUNTS = {"sequences": "sequences", "steps": "observations"}
"""Columns by their attribute. If all layers have the same value, a note replaces the column."""


def same_in_all(layers: Sequence[LayerActivity], attribute: str) -> int | None:
    """The value that all layers share; None if they differ, or if there is no layer."""
    values: set[int] = {getattr(layer, attribute) for layer in layers}
    return values.pop() if len(values) == 1 else None


def joined(parts: Iterable[str], between: str = ", ") -> str:
    """The parts made printable, one after the other."""
    return between.join(map(printable, parts))


def _others(layers: Sequence[LayerActivity], hints: Hints) -> str:
    """The statistics that were recorded beside `Firing`, and how their results are shown."""
    names = list(dict.fromkeys(name for layer in layers for name in layer.results))
    if not names:
        return ""
    layer = next(layer.name for layer in layers if names[0] in layer.results)
    return f"{joined(names)}: {hints.results.format(layer=printable(layer), statistic=names[0])}"


def _marked(verdicts: Sequence[Verdict], hints: Hints) -> dict[str, str]:
    """A line for each kind of verdict: what was found in which layers."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.name, []).append(verdict.sentence)
    lines = {f"! {name}": _some(said) for name, said in found.items()}
    advice = (
        f"{hints.verdicts} gives the thresholds, and what people do about it; "
        "the documentation's page on verdicts says what each means"
    )
    return lines | ({"verdicts": advice} if lines else {})


_OF = {
    "input": "the figures describe what goes into the layers, not what they emit",
    "grad": "the figures describe the gradients at the layers' outputs, not what they emit; "
    "sequences are backward passes of samples",
}


def _some(sentences: list[str]) -> str:
    more = len(sentences) - _MOST_SENTENCES
    text = "; ".join(sentences[:_MOST_SENTENCES])
    return text + (f"; and of {more:,} more layer{'s' if more > 1 else ''}" if more > 0 else "")


def _origin(origin: Mapping[str, Any], *, legend: bool) -> dict[str, str]:
    # A stranger may have written the report's file, so every type is checked.
    found = {}
    options, versions, model = (origin.get(key) for key in ("options", "versions", "model"))
    of = options.get("of") if isinstance(options, Mapping) else None
    if isinstance(of, str) and of != "output":
        state = f"the figures describe the layers' state {of!r} after each step, not what they emit"
        found[f"of {printable(of)}"] = _OF.get(of, state)
    if isinstance(model, str):
        found["model"] = model
    if legend and isinstance(versions, Mapping) and versions:
        found["versions"] = joined(f"{name} {version}" for name, version in versions.items())
    return found
