"""Several threads, processes or recordings at once are counted right or refused by name."""

from __future__ import annotations

import copy
import itertools
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from toy import Net, Neuron, ToyAdapter

import neuroact
from neuroact import Recording, SpikeCounts
from neuroact.errors import OtherProcessError, OtherThreadError, RecordingClosedError

# From Python 3.12 on, forking a process of several threads warns. DataLoader does it.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork")


def record(model: nn.Module, **options: Any) -> Recording:
    return neuroact.record(model, adapters=[ToyAdapter()], **options)


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    return Net()


def batch(seed: int, steps: int = 4, samples: int = 3) -> Tensor:
    return torch.randn(steps, samples, 5, generator=torch.Generator().manual_seed(seed))


def alone(seeds: list[int], model: int = 0, **options: Any) -> neuroact.ActivityReport:
    """The report of one recording over these batches, in one thread."""
    one = net(model)
    with record(one, **options) as recording:
        for seed in seeds:
            one(batch(seed))
    return recording.report()


def test_two_recordings_of_one_model_open_and_close_in_any_order() -> None:
    # "a" opens the first recording, "A" closes it. Those open at the time see each batch.
    for order in set(itertools.permutations("aAbB")):
        if order.index("a") > order.index("A") or order.index("b") > order.index("B"):
            continue
        one, recordings, seen = net(), {}, {"a": [], "b": []}
        for seed, event in enumerate(order):
            if event.islower():
                recordings[event] = record(one)
            else:
                recordings[event.lower()].close()
            one(batch(seed))
            for name, found in recordings.items():
                if not found._closed:
                    seen[name].append(seed)
        for name, found in recordings.items():
            assert found.report() == alone(seen[name]), (order, name)
        assert not any("forward" in vars(module) for module in one.modules())


def test_two_recordings_of_one_model_pause_independently() -> None:
    one = net()
    with record(one) as first, record(one) as second:
        first.pause()
        one(batch(0))
        second.pause()
        one(batch(1))
        first.resume()
        one(batch(2))
        second.resume()
        one(batch(3))
    assert first.report() == alone([2, 3])
    assert second.report() == alone([0, 3])


def in_threads(*works: Callable[[threading.Barrier], Any]) -> list[Any]:
    """Run functions at once, each in a thread of its own, from a barrier on."""
    barrier = threading.Barrier(len(works), timeout=600)
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work, barrier) for work in works]]


def test_models_in_threads_of_their_own_are_recorded_apart() -> None:
    def work(model: int) -> Callable[[threading.Barrier], neuroact.ActivityReport]:
        one = net(model)  # before the threads run, since they share one random generator

        def run(barrier: threading.Barrier) -> neuroact.ActivityReport:
            with record(one) as recording:
                for seed in range(20):
                    barrier.wait()
                    one(batch(seed + model))
            return recording.report()

        return run

    reports = in_threads(*(work(model) for model in range(3)))
    for model, report in enumerate(reports):
        assert report == alone([seed + model for seed in range(20)], model)


def test_one_model_recorded_by_two_threads_gives_each_recording_all_calls() -> None:
    # Racing threads open and close recordings, around calls of the main thread.
    one = net()
    opened = [list[Recording](), list[Recording]()]

    def work(mine: list[Recording]) -> Callable[[threading.Barrier], None]:
        def run(barrier: threading.Barrier) -> None:
            for _ in range(200):
                barrier.wait()
                mine.append(record(one))
                barrier.wait()
                if len(mine) > 1:
                    mine.pop(0).close()

        return run

    in_threads(*(work(mine) for mine in opened))
    one(batch(0))
    for recording in [recording for mine in opened for recording in mine]:
        assert recording.report() == alone([0])
        recording.close()
    assert not any("forward" in vars(module) for module in one.modules())


class Stepwise(nn.Module):
    """A layer whose caller keeps the state, so that threads could share the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = Neuron()

    def forward(self, x: Tensor) -> None:
        mem = None
        for step in x:
            _, mem = self.lif(step, mem)


def test_two_threads_at_a_time_in_one_recording_are_refused_with_the_layers_name() -> None:
    model, errors = Stepwise(), list[OtherThreadError]()

    def other() -> None:
        try:
            model(batch(1))
        except OtherThreadError as error:
            errors.append(error)

    with record(model) as recording:
        mem = None
        for step in batch(0):
            _, mem = model.lif(step, mem)
            thread = threading.Thread(target=other, name="second loop")
            thread.start()
            thread.join()
    assert len(errors) == 4
    assert errors[0].layer == "lif"
    assert 'layer "lif" (toy Neuron)' in str(errors[0])
    assert "second loop" in str(errors[0])
    assert "MainThread" in str(errors[0])
    with record(model) as expected:
        model(batch(0))
    assert recording.report() == expected.report(), "a refused call left a trace"


def test_a_thread_that_is_just_starting_is_not_taken_for_the_one_that_feeds_a_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, starting, running = net(), threading.Thread(), threading.enumerate
    monkeypatch.setattr(threading, "enumerate", lambda: [*running(), starting])
    assert starting.ident is None
    with record(one) as recording:
        one(batch(0))
        recording.new_sequence()
        one(batch(1))
    assert recording.report() == alone([0, 1])


def test_threads_that_race_are_refused_or_right() -> None:
    model, recorded_by = Stepwise(), dict[str, int]()
    with record(model) as recording:

        def run(barrier: threading.Barrier) -> None:
            mine = 0
            barrier.wait()
            for seed in range(50):
                try:
                    model(batch(seed))
                    mine += 1
                except OtherThreadError:
                    pass
            recorded_by[threading.current_thread().name] = mine
            barrier.wait()

        in_threads(run, run)
    assert sorted(recorded_by.values()) == [0, 50]
    with record(model) as expected:
        for seed in range(50):
            model(batch(seed))
    assert recording.report() == expected.report()


def test_a_thread_may_hand_the_model_over() -> None:
    one = net()
    with record(one) as recording:
        for seed in range(3):  # each thread has ended when the next one starts
            thread = threading.Thread(target=one, args=(batch(seed),))
            thread.start()
            thread.join()
        one(batch(3))
        recording.new_sequence()  # the main thread lives on, so it must hand over
        with ThreadPoolExecutor(1) as pool:
            pool.submit(one, batch(4)).result()
    assert recording.report() == alone([0, 1, 2, 3, 4])


def test_spikes_observed_by_two_threads_are_refused_with_the_layers_name() -> None:
    recording = Recording()
    recording.observe("chip", torch.ones(1, 1, 2))

    def observe(barrier: threading.Barrier) -> None:
        with pytest.raises(OtherThreadError, match='layer "chip"'):
            recording.observe("chip", torch.ones(1, 1, 2))

    in_threads(observe)
    assert recording.report()["chip"].observations == 1


class Data(Dataset[Tensor]):
    """Batches; with `model`, the dataset runs them through it first."""

    def __init__(self, model: nn.Module | None = None) -> None:
        self.model = model

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> Tensor:
        x = batch(number, samples=1)
        if self.model is not None:
            with torch.no_grad():
                self.model(x)
        return x[:, 0]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_loader_with_workers_started_while_recording_changes_nothing(start: str) -> None:
    one = net()
    loader = DataLoader(
        Data(), batch_size=2, num_workers=2, multiprocessing_context=start, persistent_workers=True
    )
    with record(one) as recording:
        for _ in range(2):
            for x in loader:
                one(x.transpose(0, 1))
    expected = net()
    with record(expected) as plain:
        for _ in range(2):
            for x in DataLoader(Data(), batch_size=2):
                expected(x.transpose(0, 1))
    assert recording.report() == plain.report()


def test_a_forked_workers_calls_are_refused_with_the_layers_name() -> None:
    one = net()
    with record(one) as recording:
        one(batch(0))
        loader = DataLoader(Data(one), num_workers=1, multiprocessing_context="fork", timeout=600)
        with pytest.raises(OtherProcessError, match=r'layer "lif1" \(toy Neuron\).*forked'):
            list(loader)
        one(batch(1))
    assert recording.report() == alone([0, 1])


def in_a_fork(work: Callable[[], None]) -> None:
    """Run assertions in a forked process."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_a_forked_process_that_closes_the_recording_runs_and_records_the_model_itself() -> None:
    one = net()
    with record(one) as recording:
        one(batch(0))

        def work() -> None:
            with pytest.raises(OtherProcessError, match='layer "lif1"'):
                one.lif1(torch.zeros(1, 7))
            recording.close()
            one(batch(1))
            with record(one) as mine:
                one(batch(2))
            assert mine.report() == alone([2])
            assert recording.report() == alone([0])

        in_a_fork(work)
        one(batch(3))
    assert recording.report() == alone([0, 3])


def test_a_recording_from_before_a_fork_refuses_all_in_the_forked_process() -> None:
    one, fed = net(), Recording()
    fed.observe("chip", torch.ones(1, 1, 2))
    with record(one) as recording:
        one(batch(0))
        recording.pause()

        def work() -> None:
            one(batch(1))  # paused in this process too
            with pytest.raises(OtherProcessError, match="cannot be resumed in it"):
                recording.resume()
            with pytest.raises(OtherProcessError, match="cannot be fed in it"):
                fed.observe("chip", torch.ones(1, 1, 2))

        in_a_fork(work)
    assert recording.report() == alone([0])


def part(seed: int) -> Recording:
    """A worker process's recording of one batch, sent back while it is open."""
    one = net()
    recording = record(one)
    one(batch(seed))
    return recording


def test_recordings_that_workers_send_back_add_up() -> None:
    merged = Recording()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for recording in pool.map_async(part, range(3)).get(60):
            with pytest.raises(RecordingClosedError):
                recording.resume()
            merged.merge(recording)
    assert merged.report() == alone([0, 1, 2])


def test_a_copy_of_a_recording_is_its_figures() -> None:
    one = net()
    with record(one, statistics=[SpikeCounts]) as recording:
        one(batch(0))
        copied = copy.deepcopy(recording)
        one(batch(1))
    with pytest.raises(RecordingClosedError):
        copied.resume()
    assert copied.report() == alone([0], statistics=[SpikeCounts])
    assert recording.report() == alone([0, 1], statistics=[SpikeCounts])


def test_a_spawned_workers_copy_of_the_model_is_not_recorded() -> None:
    one = net()
    with record(one) as recording, torch.no_grad():
        one(batch(0))
        loader = DataLoader(Data(one), num_workers=1, multiprocessing_context="spawn")
        assert len(list(loader)) == 4
        one(batch(1))
    assert recording.report() == alone([0, 1])
