"""The studies run, and what their pages conclude holds of a short training too."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def random_state() -> Any:
    with torch.random.fork_rng(devices=[]):
        yield


def study(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / f"examples/studies/{name}.py"))


def test_a_pixel_fires_once_by_latency_and_by_its_brightness_by_rate() -> None:
    codings = study("codings")
    images = torch.rand(50, 64) * (torch.rand(50, 64) < 0.6)
    latency = codings["by_latency"](images)
    assert torch.equal(latency.sum(0), (images > 0).float())
    first = latency.argmax(0)
    brighter = images[:, :1] > images[:, 1:]
    assert (first[:, :1] <= first[:, 1:])[brighter & (images[:, 1:] > 0)].all()
    rate = torch.stack([codings["by_rate"](images) for _ in range(20)]).mean((0, 1))
    assert (rate - images).abs().max() < 0.2  # 400 steps: four standard deviations are 0.1


def test_the_study_of_codings_compares_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study("codings")["main"](epochs=1, folder=tmp_path)
    printed = capsys.readouterr().out
    page = (ROOT / "docs/studies/codings.md").read_text(encoding="utf-8")
    rows = [row.split()[:2] for row in printed.splitlines()[3:]]
    assert rows == [
        row.split()[:2] for row in page.split("```text\n")[1].split("```")[0].splitlines()[3:]
    ]
    pixels = next(row for row in printed.splitlines() if row.startswith("pixels   latency"))
    assert pixels in page, "how often each pixel fires is the data's, not the training's"
    assert {path.name for path in tmp_path.iterdir()} == {"rate.png", "latency.png"}


def test_rates_of_a_converted_network_stand_for_what_its_relus_gave(
    capsys: pytest.CaptureFixture[str],
) -> None:
    converted = study("converted")
    digits = converted["Digits"].load()
    torch.manual_seed(0)
    net = converted["trained"](digits, epochs=1)
    images, _ = digits.test.tensors
    _, ann = converted["record_ann"](net, images)
    expected = net[:2](images).detach().double().mean(0).numpy()
    np.testing.assert_allclose(ann["1"].activity, expected, rtol=1e-5)
    _, snn = converted["record_snn"](converted["converted"](net, digits), images, 32)
    first, second = converted["agreement"](ann, snn).values()
    assert min(first, second) > 0.99
    assert snn["spiking_0.if_node"].observations == 32 * len(images)


def test_the_study_of_a_converted_network_prints_a_row_for_each_number_of_steps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study("converted")["main"](epochs=1, steps=(1, 8))
    rows = [row.split("%")[0].split()[:-1] for row in capsys.readouterr().out.splitlines()]
    assert rows[1:4] == [["ANN"], ["1", "step"], ["8", "steps"]]


def test_the_page_of_the_same_network_shows_what_its_script_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study("same_network")["main"]()
    page = (ROOT / "docs/studies/same-network.md").read_text(encoding="utf-8")
    assert f"```text\n{capsys.readouterr().out}```" in page
