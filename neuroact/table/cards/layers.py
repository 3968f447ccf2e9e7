"""Cards of layers, of all layers of a report, and of compared ones."""

from __future__ import annotations

from neuroact.card import Card, card_of, several, some
from neuroact.results.compared_layers import ComparedLayers, Difference, LayerComparison
from neuroact.results.diagnosis import Verdict, diagnose
from neuroact.results.layer_activity import OBSERVED, LayerActivity
from neuroact.results.layers import Layers
from neuroact.results.verdict_kinds import THRESHOLDS
from neuroact.results.verdict_words import bound_text
from neuroact.table.comparison import signed_text
from neuroact.table.text import Part, number_text, percent_text, shape_text, share_text
from neuroact.table.totals import Totals

_SPREAD = ("mean", "std", "min", "q1", "median", "q3", "max")


@card_of.register
def _(layer: LayerActivity) -> Card:
    source = "observed" if layer.framework == OBSERVED else f"{layer.framework} {layer.layer_type}"
    shape = f" ({shape_text(layer.shape)})" if len(layer.shape) > 1 else ""
    counted = f"{several(layer.neurons, 'neuron')}{shape}"
    figures = {
        "activity": ", ".join(f"{n} {number_text(getattr(layer, n))}" for n in _SPREAD),
        "sparsity": number_text(layer.sparsity) if layer.has_meaning("sparsity") else "",
        "dead": _part(layer, "dead"),
        "saturated": _part(layer, "saturated"),
    }
    step = "" if layer.dt is None else f", of {layer.dt:g} s each"
    observed = f"{several(layer.observations, 'step')}, {several(layer.sequences, 'sequence')}"
    return Card(
        f'LayerActivity "{layer.name}": {counted}, {layer.kind.value}, {source}',
        {
            "of": "" if layer.of == "output" else f"{layer.of}, not what the layer emits",
            "no figures": layer.problem or "",
            **({} if layer.problem else figures),
            "observed": observed + step,
            "verdicts": _verdicts([layer]) + "; report.diagnose() compares the layers",
            "also": _others([layer], "layer"),
            "aliases": some(layer.aliases),
            "more": '.activity, .rate, .quantile(0.9), .histogram(), .dead_neurons, ["Firing"]',
        },
    )


@card_of.register
def _(report: Layers) -> Card:
    layers = list(report.values())
    totals = Totals.of(layers)
    model = report.origin.get("model")
    of = f", of {model}" if isinstance(model, str) else ""
    operations = report.recorded_operations
    counted = "" if operations is None else f"of {several(len(operations), 'layer')}: .operations"
    return Card(
        f"{type(report).__name__}: {several(len(report), 'layer')}, "
        f"{several(totals.neurons, 'neuron')}{of}",
        {
            "layers": some(report),
            "sparsity": share_text(totals.sparsity),
            "dead": _of_all(totals.part("dead")),
            "saturated": _of_all(totals.part("saturated")),
            "verdicts": _verdicts(layers),
            "no figures": some(layer.name for layer in layers if layer.problem),
            "not called": some(report.not_called),
            "also": _others(layers, 'report["layer"]'),
            "operations": counted,
            "more": 'print(report), report["layer"], report[0], .diagnose(), .plot(), .to_html()',
        },
    )


@card_of.register
def _(compared: ComparedLayers) -> Card:
    first, *others = compared.labels
    lines = {}
    for entry in list(compared.values())[:6]:
        apart = (f"{number_text(d.distance)} in {n}" for n, d in entry.differences.items())
        lines[f'"{entry.name}"'] = f"distance {some(apart)}"
    alone = (f"{label}: {some(names, most=2)}" for label, names in compared.unmatched.items())
    return Card(
        f"{type(compared).__name__}: {several(len(compared), 'layer')} of {some(others)} "
        f"compared with {first}",
        {
            **lines,
            "and": "" if len(compared) <= 6 else several(len(compared) - 6, "layer") + " more",
            "unmatched": "; ".join(alone),
            "more": 'print(comparison), comparison["layer"], comparison[0], .plot(), .to_html()',
        },
    )


@card_of.register
def _(entry: LayerComparison) -> Card:
    first, *others = entry.layers
    dead = _part(entry.first, "dead")
    lines = {f'"{label}"': _change(entry.differences[label]) for label in others[:8]}
    return Card(
        f'LayerComparison "{entry.name}": {some(others)} compared with {first}',
        {
            f'"{first}"': f"mean {number_text(entry.first.mean)}, dead {dead or '-'}",
            **lines,
            "more": f'.differences["{others[0]}"], .layers["{first}"], .first',
        },
    )


@card_of.register
def _(difference: Difference) -> Card:
    return Card(
        "Difference: another report's figures minus the first one's",
        {
            "activity": ", ".join(
                f"{n} {signed_text(getattr(difference, n))}"
                for n in ("mean", "std", "q1", "median", "q3", "sparsity")
            ),
            "dead": _counted(difference.dead, difference.dead_share),
            "saturated": _counted(difference.saturated, difference.saturated_share),
            "distance": number_text(difference.distance),
        },
    )


@card_of.register
def _(verdict: Verdict) -> Card:
    bound = f", threshold {bound_text(verdict.threshold)}" if verdict.name in THRESHOLDS else ""
    return Card(
        f"Verdict, {verdict.severity}: {verdict.sentence}",
        {
            verdict.figure: number_text(verdict.value) + bound,
            "meaning": verdict.meaning,
            "advice": verdict.advice,
            "page": verdict.page,
            "more": "print(verdict), .advice, .meaning, .layers, .value, .threshold, .to_dict()",
        },
    )


def _change(difference: Difference) -> str:
    dead = "-" if difference.dead is None else _signed(difference.dead)
    return (
        f"mean {signed_text(difference.mean)}, dead {dead}, "
        f"distance {number_text(difference.distance)}"
    )


def _counted(count: int | None, share: float) -> str:
    return "-" if count is None else f"{_signed(count)}, share {signed_text(share)}"


def _signed(count: int) -> str:
    return f"{count:+,}" if count else "0"


def _part(layer: LayerActivity, metric: str) -> str:
    """Dead or saturated neurons of all; empty if the number says nothing of the layer."""
    if layer.problem is not None or not layer.has_meaning(metric):
        return ""
    return _of_all((getattr(layer, metric), layer.neurons))


def _of_all(part: Part | None) -> str:
    if part is None:
        return ""
    count, among = part
    share = f" ({percent_text(count / among)})" if count else ""
    return f"{count:,} of {among:,}{share}"


def _verdicts(layers: list[LayerActivity]) -> str:
    found: dict[str, list[str]] = {}
    for verdict in diagnose(layers):
        found.setdefault(verdict.name, []).append(verdict.layer)
    if len(layers) == 1:
        return ", ".join(found) or "none by itself"
    return "; ".join(f"{name}: {some(names, most=3)}" for name, names in found.items()) or "none"


def _others(layers: list[LayerActivity], of: str) -> str:
    names = list(dict.fromkeys(name for layer in layers for name in layer.results))
    return f"{of}[...] of {some(names, most=8)}" if names else ""
