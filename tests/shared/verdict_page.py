"""Writes `docs/reference/verdicts.md`: run it after changing a kind of verdict, or the study.

Run: python tests/shared/verdict_page.py
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neuroact.results.verdict_kinds import KINDS, PAGE, SEVERITIES, VerdictKind

ROOT = Path(__file__).parents[2]
FILE = ROOT / PAGE
STUDY = FILE.with_name("sick_networks.json")

HEAD = """# Verdicts

`report.diagnose()` says what is wrong with a network's layers. Each verdict has a `severity`, a
`name`, the `layers` that it is about, a `sentence`, the measured `value`, the `threshold` that it
was compared with, its `meaning` (the rule) and `advice`. The most severe come first. A threshold is
an argument: `report.diagnose(dead=0.5)`, on the command line `--fail-on dead=0.5`.
A share of exactly 50 % has the verdict on the command line, and not in `diagnose`.

Written by `tests/shared/verdict_page.py` from the code; a test compares the two.
"""

RATES = """The *event rate* is the share of values that are not zero: spikes per neuron and step in
a binary layer. Layers without figures get no verdict.
"""

STUDY_HEAD = """## How often they are right

[`examples/sick_networks.py`](../../examples/sick_networks.py) trains small networks on handwritten
digits: some as they should be, some after something was done to them. It does not ask the verdicts
which are sick. A network is sick if something was done to it, and if its accuracy on the training
set is then at least ten points lower than without. A verdict that is severe or a warning is an
alarm; a note is none. `activity` is the range of the networks' mean event rates. Made on {made}
with PyTorch {torch}, seeds {seeds}. The thresholds were chosen on other seeds, 0 and 1.
"""

FOUND = """What the study changed. The threshold of `dead` was 40 %: networks that had learned
well at 4 % activity were called dead. A value counted as far from the firing threshold beyond once
its size: in nearly every network that learned, more than half of the values were that far.

No verdict finds a network that has not learned, but fires like one that has. That happens with too
low a learning rate, and where neurons neither leak nor reset. With too large weights or too strong
an input the spikes look well, but the membranes do not: record them (`of="mem"`,
`Signal(threshold=...)`). A surrogate gradient that is too narrow shows in the gradients alone
(`of="grad"`), and not in every network. Saturating membranes are also seen in networks that learn
all the same. Of exploding gradients and busy layers the study says nothing: it had hardly any.
These are small networks on an easy task; the percentages give an order, and no promise.
"""

SOURCES = """## Sources

- Bengio, Simard and Frasconi, Learning long-term dependencies with gradient descent is difficult,
  IEEE Transactions on Neural Networks 5, 1994, doi:10.1109/72.279181.
- Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks,
  AISTATS 2010.
- Guo et al., RecDis-SNN: Rectifying membrane potential distribution for directly training spiking
  neural networks, CVPR 2022, doi:10.1109/CVPR52688.2022.00042.
- Karpathy, CS231n course notes, "Neural Networks Part 1".
- Micheli et al., arXiv:2410.00580, 2024.
- Otsu, A threshold selection method from gray-level histograms, IEEE Transactions on Systems, Man,
  and Cybernetics 9, 1979, doi:10.1109/TSMC.1979.4310076.
- Tukey, Exploratory Data Analysis, 1977.
- Yan, Bai and Wong, arXiv:2409.08290v1, 2024.
"""


def study() -> Any:
    """The module of the study, which is an example and no package's."""
    if "sick_networks" not in sys.modules:
        path = ROOT / "examples/sick_networks.py"
        spec = importlib.util.spec_from_file_location("sick_networks", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["sick_networks"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["sick_networks"]


def page() -> str:
    """The whole page."""
    parts = [HEAD, *(f"- **{name}**: {meaning}." for name, meaning in SEVERITIES.items()), ""]
    parts += [RATES, "| verdict | severity | threshold |", "|---|---|---|"]
    parts += [
        f"| [{name}](#{name}) | {kind.severity} | {_threshold(kind)} |"
        for name, kind in KINDS.items()
    ]
    for name, kind in KINDS.items():
        parts += ["", *_section(name, kind)]
    return "\n".join([*parts, "", *_study(), "", SOURCES])


def _section(name: str, kind: VerdictKind) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"- When: {kind.where}"
    yield f"- Why: {kind.why}"
    yield f"- What to do: {kind.advice}"


def _threshold(kind: VerdictKind) -> str:
    return "-" if kind.threshold is None else f"{kind.threshold:g}"


def _study() -> Iterator[str]:
    made, networks = study().read(STUDY)
    seeds = ", ".join(map(str, made["seeds"]))
    yield STUDY_HEAD.format(made=made["made"], torch=made["torch"], seeds=seeds)
    for table in (study().summary, study().by_treatment, study().by_verdict):
        yield from table(networks)
        yield ""
    yield FOUND.rstrip()


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
