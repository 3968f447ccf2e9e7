"""Records a module that is called in several places of a model, each place as a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from neuroact.errors import UnsupportedModelError
from neuroact.recording.forward import Callbacks, Watcher, watch


class Places:
    """Watches a module, and shows each call to the watcher of its place.

    Places take turns, from the first one on in each forward of the model.

    Args:
        name: the module's reported name.
        module: the module.
        model: the model that it is in.
        count: how many places there are.
        passed_by: as in `neuroact.recording.forward.watch`.

    Attributes:
        turn: the place that the next call belongs to.
    """

    def __init__(
        self, name: str, module: nn.Module, model: nn.Module, count: int, *, passed_by: bool
    ) -> None:
        self._name = name
        self._module, self._model = module, model
        self._passed_by = passed_by
        self._watchers: list[Watcher | None] = [None] * count
        self._ends: list[Callable[[], None]] = []
        self.turn = 0

    @property
    def callbacks(self) -> Callbacks:
        """As in `Watcher`."""
        return self._before, self._after

    def watch(self, at: int, watcher: Watcher) -> Callable[[], None]:
        """Show the calls of a place to a watcher; as `watch`, returns what stops it."""
        if not self._ends:
            self.turn = 0
            self._ends = [
                watch(self._module, self, passed_by=self._passed_by),
                watch(self._model, _ForwardOfModel(self)),
            ]
        self._watchers[at] = watcher

        def undo() -> None:
            if self._watchers[at] is watcher:
                self._watchers[at] = None
            if not any(self._watchers):
                ends, self._ends = self._ends, []
                for end in ends:
                    end()

        return undo

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """As in `Watcher`."""
        watcher = self._next()
        return (
            forward(*args, **kwargs) if watcher is None else watcher.traced(forward, args, kwargs)
        )

    def recomputed(self, output: Any) -> None:
        """Which place is repeated is not known, and no place counts repeated calls."""

    def check_capture(self) -> None:
        """As in `Watcher`."""
        for watcher in self._watchers:
            if watcher is not None:
                watcher.check_capture()

    def end(self) -> None:
        """End a forward of the model.

        Raises:
            UnsupportedModelError: the places did not have the same number of calls.
        """
        turn, self.turn = self.turn, 0
        if turn:
            raise UnsupportedModelError(
                f'layer "{self._name}" is stated to have places={len(self._watchers)}, and in a '
                "forward of the model its calls were not a multiple of that. Correct the number, "
                "or give each place a module of its own. What was recorded of it is mixed up: call "
                "recording.reset().",
                layer=self._name,
            )

    def _next(self) -> Watcher | None:
        turn = self.turn
        self.turn = (turn + 1) % len(self._watchers)
        return self._watchers[turn]

    def _before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        watcher = self._next()
        if watcher is None:
            return None
        before, after = watcher.callbacks
        return after, before(args, kwargs)

    def _after(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any
    ) -> None:
        if given is not None:
            after, state = given
            after(args, kwargs, output, state)


class _ForwardOfModel:
    """Watches the model, to begin with the first place in each of its forwards."""

    def __init__(self, places: Places) -> None:
        self._places = places

    @property
    def callbacks(self) -> Callbacks:
        """As in `Watcher`."""
        return self._before, self._after

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        self._places.turn = 0
        output = forward(*args, **kwargs)
        self._places.end()
        return output

    def recomputed(self, output: Any) -> None:
        """A repeated forward begins no round of the places."""

    def check_capture(self) -> None:
        """Nothing is counted here."""

    def _before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._places.turn = 0

    def _after(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any
    ) -> None:
        self._places.end()


if TYPE_CHECKING:
    _: type[Watcher] = Places
    __: type[Watcher] = _ForwardOfModel
