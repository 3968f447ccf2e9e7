"""The page on verdicts says what the code does, and its figures are what the study found."""

from __future__ import annotations

import pytest
from verdict_page import FILE, STUDY, page, study

from neuroact.results.verdict_kinds import KINDS, PAGE


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "run: python tests/shared/verdict_page.py"


def test_every_verdict_has_a_place_on_the_page() -> None:
    headings = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line[:3] == "## "]
    assert [f"## {name}" for name in KINDS] == headings[: len(KINDS)]
    assert FILE.as_posix().endswith(PAGE)


def test_the_study_run_again_finds_the_same() -> None:
    made, networks = study().read(STUDY)
    known = {(n.network, n.treatment, n.seed): n for n in networks}
    treatments = ("threshold too high", "biases too high")
    again = list(study().study(["two layers"], treatments, made["seeds"][:1]))
    assert [network.treatment for network in again] == [None, *treatments]
    for network in again:
        told = known[network.network, network.treatment, network.seed]
        assert (network.sick, network.by_spikes) == (told.sick, told.by_spikes)
        assert network.accuracy == pytest.approx(told.accuracy, abs=0.05)


def test_the_study_has_every_network_and_treatment_for_every_seed() -> None:
    made, networks = study().read(STUDY)
    well, treated = len(study().WELL), len(study().TREATED) * len(study().TREATMENTS)
    assert len(networks) == (well + treated) * len(made["seeds"])
    assert len(study().TREATMENTS) >= 10


def test_networks_that_learned_well_are_not_alarmed_by_their_spikes() -> None:
    _, networks = study().read(STUDY)
    well = [n for n in networks if n.treatment is None]
    assert all(network.accuracy >= study().WELL_FROM for network in well)
    assert min(network.rate for network in well) < 0.05
    assert [n for n in well if study().alarmed(n.by_spikes)] == []
