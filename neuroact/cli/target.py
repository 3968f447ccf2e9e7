"""Find and check what a user names on the command line as `package.module:name`."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from neuroact.cli.application import UNEXPECTED
from neuroact.errors import NeuroactError

if TYPE_CHECKING:
    from torch import nn

    from neuroact.recording.measure import Run

_CONTRACT = (
    "Expected a function without arguments that returns (model, batches) or (model, batches, run): "
    "a torch.nn.Module, an iterable, and a function run(model, batch)."
)


class Subject(NamedTuple):
    """What to record.

    Attributes:
        model: the model.
        batches: the batches to run through it.
        run: runs one batch, with its time steps and resets. None: as in `measure`.
    """

    model: nn.Module
    batches: Iterable[Any]
    run: Run | None


def subject(target: str) -> Subject:
    """Call the function that `target` names, and check what it returns.

    Raises:
        BadParameter: there is no such function, or it does not keep the contract.
    """
    from torch import nn

    function = named(target, hint="TARGET")
    if not callable(function) or not _takes_nothing(function):
        raise _wrong(f"{target} is {function!r}.")
    with users_code():
        returned = function()
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        raise _wrong(f"{target} returned {_described(returned)}.")
    model, batches, run = (*returned, None)[:3]
    for name, value, fits in (
        ("model", model, isinstance(model, nn.Module)),
        ("batches", batches, hasattr(batches, "__iter__") or hasattr(batches, "__getitem__")),
        ("run", run, len(returned) == 2 or callable(run)),
    ):
        if not fits:
            raise _wrong(f"{target} returned {_described(value)} for its {name}.")
    return Subject(model, batches, run)


def statistic(name: str) -> Callable[[], Any]:
    """The statistic of that name: one of neuroact's, or `package.module:Class`.

    Raises:
        BadParameter: there is no such statistic.
    """
    from neuroact.statistics.choice import built_in

    if ":" in name:
        return named(name, hint="--statistics")  # type: ignore[no-any-return]  # record checks it
    try:
        return built_in(name)
    except ValueError as cause:
        raise typer.BadParameter(
            f"{cause}; name one of your own as package.module:Class.", param_hint="--statistics"
        ) from cause


def named(target: str, *, hint: str) -> Any:
    """The object that `package.module:name` names. The module may be in the working folder.

    Raises:
        BadParameter: there is no such module, or nothing of that name in it.
    """
    from neuroact.layers.names import nearest

    module_name, _, path = target.partition(":")
    if not path or not all(part.isidentifier() for part in module_name.split(".")):
        file = Path(module_name)
        meant = f" Did you mean {file.stem}:{path}, in {file.parent}?" if "/" in module_name else ""
        raise typer.BadParameter(
            f"expected package.module:name, came {target!r}.{meant}", param_hint=hint
        )
    found: Any = _imported(module_name, hint)
    for name in path.split("."):
        if not hasattr(found, name):
            near = nearest(name, [n for n in dir(found) if not n.startswith("_")])
            raise typer.BadParameter(f"{module_name} has no {name!r}.{near}", param_hint=hint)
        found = getattr(found, name)
    return found


@contextmanager
def users_code() -> Iterator[None]:
    """Within this block, an error is shown with its traceback and ends the command.

    This includes errors that would otherwise end it in another way: `sys.exit`, a missing file, the
    end of an input.
    """
    try:
        yield
    except (KeyboardInterrupt, NeuroactError, ModuleNotFoundError, typer.BadParameter):
        raise
    except BaseException as error:
        traceback.print_exc()
        if isinstance(error, SystemExit):
            typer.echo(
                f"neuroact: your code ended the program, by sys.exit({error.code!r}): nothing was "
                "written.",
                err=True,
            )
        raise typer.Exit(UNEXPECTED) from None


def _imported(module: str, hint: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # like `python -m`, but unlike a console script
    try:
        with users_code():
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # their module imports another one, which is missing
        raise typer.BadParameter(
            f"there is no module {error.name!r} in {here}, nor among the installed packages.",
            param_hint=hint,
        ) from error


def _takes_nothing(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:
        return True  # a C function without a signature
    return True


def _wrong(what: str) -> typer.BadParameter:
    return typer.BadParameter(f"{what} {_CONTRACT}", param_hint="TARGET")


def _described(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"a value of type {type(value).__name__}"
