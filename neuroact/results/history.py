"""What happened to layers over time: when each got a verdict, and when it lost it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeAlias, TypeVar

from neuroact.card import Carded
from neuroact.printable import printable
from neuroact.results.diagnosis import Verdict, diagnose
from neuroact.results.layers import Layers
from neuroact.results.verdict_words import called
from neuroact.stream.chunk import SignalKind

Label: TypeAlias = int | str
L = TypeVar("L", bound=Layers, covariant=True)

SILENT = "silent"
_MOST_NAMES = 3
_HAVING = {
    "dead": "many dead neurons",
    "dead_channels": "dead channels",
    "saturated": "many saturated neurons",
    "fading": "fading activity",
    "busy": "far more activity than the other layers",
    "bimodal": "two groups of neurons",
    "saturating": "membranes far from the threshold",
    "vanishing": "a vanishing gradient",
    "exploding": "an exploding gradient",
}


@dataclass(frozen=True)
class Steps:
    """Which training steps a report is of. They are numbered from 0.

    Attributes:
        first: the first recorded step.
        last: the last recorded step.
        fired: the first and the last recorded step in which each layer had an event, by the layer's
            name; a layer without an event is left out.
    """

    first: int
    last: int
    fired: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __str__(self) -> str:
        one = self.first == self.last
        return f"step {self.first}" if one else f"steps {self.first}-{self.last}"

    def and_then(self, later: Steps) -> Steps:
        """These steps and later ones as one."""
        fired = {
            name: (self.fired.get(name, seen)[0], seen[1]) for name, seen in later.fired.items()
        }
        return Steps(self.first, later.last, {**self.fired, **fired})


@dataclass(frozen=True, repr=False)
class Entry(Carded, Generic[L]):
    """A report of a history.

    Attributes:
        label: the epoch's number, or a text.
        layers: the report.
        steps: the training steps that it is of; None if they are not known.
    """

    label: Label
    layers: L
    steps: Steps | None = None

    @property
    def name(self) -> str:
        """The label as text: "epoch 3", or the text itself."""
        return f"epoch {self.label}" if isinstance(self.label, int) else printable(self.label)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the report, by the default thresholds."""
        return diagnose(self.layers)

    @cached_property
    def sick(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the layers that have each verdict, by its kind."""
        found: dict[str, list[str]] = {}
        for verdict in self.verdicts:
            found.setdefault(verdict.name, []).extend(verdict.layers)
        return {kind: tuple(dict.fromkeys(names)) for kind, names in found.items()}


@dataclass(frozen=True, repr=False)
class Course(Carded):
    """When layers had a verdict. Layers that had it at the same times share one.

    Attributes:
        layers: names of the layers.
        kind: the verdict, such as "silent".
        labels: labels of the reports that have the verdict, in order. For a layer that was silent
            only in the last steps of the last report, it is that report's.
        step: the last recorded training step in which the layers fired before they went silent, for
            the last time; None if that is not known, or for other verdicts.
        now: whether the layers have it at the end of the history.
        text: the same as a sentence. It is what `print` shows.
    """

    layers: tuple[str, ...]
    kind: str
    labels: tuple[Label, ...]
    step: int | None
    now: bool
    text: str = field(compare=False)

    def __str__(self) -> str:
        return self.text


def courses(
    entries: Sequence[Entry[Layers]], thresholds: Mapping[str, float] | None = None
) -> tuple[Course, ...]:
    """When each layer had a verdict: those that began first come first.

    A report in which a layer has no figures says nothing of it.

    Args:
        entries: the reports, in order.
        thresholds: as in `diagnose`.
    """
    held: dict[tuple[str, str], set[int]] = {}
    for at, entry in enumerate(entries):
        for verdict in diagnose(entry.layers, **thresholds) if thresholds else entry.verdicts:
            for name in verdict.layers:
                held.setdefault((name, verdict.name), set()).add(at)
    for name in _silent_at_the_end(entries):
        held.setdefault((name, SILENT), set())
    shared: dict[_Spans, list[str]] = {}
    for (name, kind), places in held.items():
        shared.setdefault(_Spans.of(entries, name, kind, places), []).append(name)
    found = sorted(shared.items(), key=lambda each: each[0].begins)
    return tuple(spans.course(entries, names) for spans, names in found)


@dataclass(frozen=True)
class _Spans:
    """Where a layer had a verdict, as numbers of reports.

    Attributes:
        kind: the verdict.
        spans: first and last report of each time.
        known: the reports that have figures of the layer.
        quiet_from: for a silent layer, the last step in which it fired before, and its report.
        back_at: the first step in which it fired again, and its report.
        tail: whether it fell silent within the last report.
    """

    kind: str
    spans: tuple[tuple[int, int], ...]
    known: tuple[int, ...]
    quiet_from: tuple[int, int] | None
    back_at: tuple[int, int] | None
    tail: bool

    @classmethod
    def of(cls, entries: Sequence[Entry[Layers]], name: str, kind: str, places: set[int]) -> _Spans:
        known = [at for at, entry in enumerate(entries) if _has_figures(entry, name)]
        spans = list(_runs(known, places))
        quiet = back = None
        tail = kind == SILENT and name in _silent_at_the_end(entries) and known[-1] not in places
        if tail:
            spans.append((known[-1], known[-1]))
        if kind == SILENT:
            first, last = spans[-1]
            before = first if tail else _beside(known, first, -1)
            after = None if tail else _beside(known, last, +1)
            quiet = _fired(entries, name, before, 1)
            back = _fired(entries, name, after, 0)
        return cls(kind, tuple(spans), tuple(known), quiet, back, tail)

    @property
    def begins(self) -> tuple[int, float]:
        """When it began, to sort by."""
        first = self.spans[0][0]
        if self.quiet_from is None or len(self.spans) > 1:
            return first, -1
        step, report = self.quiet_from
        return report, step

    @property
    def now(self) -> bool:
        return self.spans[-1][1] == self.known[-1]

    def course(self, entries: Sequence[Entry[Layers]], names: Sequence[str]) -> Course:
        held = [at for at in self.known if any(a <= at <= b for a, b in self.spans)]
        return Course(
            layers=tuple(names),
            kind=self.kind,
            labels=tuple(entries[at].label for at in held),
            step=None if self.quiet_from is None else self.quiet_from[0],
            now=self.now,
            text=f"{_named(names)} {self._happened(entries, len(held), many=len(names) > 1)}",
        )

    def _happened(self, entries: Sequence[Entry[Layers]], held: int, *, many: bool) -> str:
        (first, last), *more = self.spans
        was, has = ("were", "have") if many else ("was", "has")
        silent = self.kind == SILENT
        having = _HAVING.get(self.kind, f'the verdict "{self.kind}"')
        if more:
            what = f"{was} silent" if silent else f"had {having}"
            text = f"{what} in {held} of {len(self.known)} reports: first in {entries[first].name}"
            if self.now:
                return f"{text}, and at the end" + self._since(entries)
            return f"{text}, last in {entries[self.spans[-1][1]].name}"
        if silent:
            return self._went_silent(entries, was)
        whole = first == self.known[0]
        if whole and self.now:
            return f"had {having} from the start to the end"
        if self.now:
            return f"{has} had {having} since {_in(entries[first])}"
        ends = f"in {entries[first].name}"
        if first != last:
            ends = f"from {'the start' if whole else entries[first].name} to {entries[last].name}"
        return f"had {having} {ends}"

    def _since(self, entries: Sequence[Entry[Layers]]) -> str:
        if self.quiet_from is None:
            return f", since {entries[self.spans[-1][0]].name}"
        step, report = self.quiet_from
        return f", since step {step} ({entries[report].name})"

    def _went_silent(self, entries: Sequence[Entry[Layers]], was: str) -> str:
        first, last = self.spans[0]
        from_the_start = first == self.known[0] and not self.tail
        if from_the_start and self.now:
            return f"{was} silent from the start to the end"
        if from_the_start:
            text = f"{was} silent from the start"
        elif self.quiet_from is None:
            text = f"went silent in {_in(entries[first])}"
        else:
            step, report = self.quiet_from
            text = f"went silent after step {step} ({entries[report].name})"
        if self.now:
            return text
        if self.back_at is None:
            after = self.known[self.known.index(last) + 1]
            return f"{text} and came back in {_in(entries[after])}"
        step, report = self.back_at
        return f"{text} and came back at step {step} ({entries[report].name})"


def _has_figures(entry: Entry[Layers], name: str) -> bool:
    return name in entry.layers and entry.layers[name].problem is None


def _runs(known: Sequence[int], places: set[int]) -> Iterator[tuple[int, int]]:
    """First and last of those among `known` that follow each other in `places`."""
    run: list[int] = []
    for at in [*known, -1]:
        if at in places:
            run.append(at)
        elif run:
            yield run[0], run[-1]
            run = []


def _beside(known: Sequence[int], at: int, by: int) -> int | None:
    """The report before or after one of those that are known."""
    place = known.index(at) + by
    return known[place] if 0 <= place < len(known) else None


def _fired(
    entries: Sequence[Entry[Layers]], name: str, at: int | None, end: int
) -> tuple[int, int] | None:
    """The first (0) or last (1) step in which the layer fired in a report, and that report."""
    steps = None if at is None else entries[at].steps
    if at is None or steps is None or name not in steps.fired:
        return None
    return steps.fired[name][end], at


def _silent_at_the_end(entries: Sequence[Entry[Layers]]) -> list[str]:
    """The layers that spike, and did so in the last report, but not in its last step."""
    if not entries or (steps := entries[-1].steps) is None:
        return []
    layers = entries[-1].layers
    return [
        name
        for name, (_, last) in steps.fired.items()
        if last < steps.last
        and _has_figures(entries[-1], name)
        and layers[name].kind is not SignalKind.ANALOG
    ]


def _in(entry: Entry[Layers]) -> str:
    return entry.name if entry.steps is None else f"{entry.name} ({entry.steps})"


def _named(names: Sequence[str]) -> str:
    shown = list(map(called, names))
    if (more := len(names) - _MOST_NAMES) > 1:
        return f"{', '.join(shown[:_MOST_NAMES])} and {more} more layers"
    *others, last = shown
    return f"{', '.join(others)} and {last}" if others else last
