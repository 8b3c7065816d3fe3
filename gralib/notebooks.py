"""Notebooks: run in batch by papermill, with parameters that are checked, there and in a browser."""

import ast
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from gralib.errors import UserError, from_root
from gralib.files import put

INJECTED = "# Parameters"
"""First line of the cell that papermill puts in."""
RAN = ("collapsed", "execution", "scrolled", "trusted")
"""What Jupyter writes of a cell that was run or looked at."""
_checked: dict[str, Any] = {}
"""The parameters as the notebook's set-up cell last read them."""


def check_parameters(*declared: str) -> None:
    """Refuse a parameter that the notebook does not declare, and watch those it does.

    Call it below the parameters cell with the name of every parameter. From then on a cell that is run while a
    parameter is no longer what it was here says so. The same in a browser and under papermill, which itself only warns
    of unknown names.

    Raises:
        UserError: a name that is set in the parameters cell, or by papermill, and not declared; or one never set.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:  # no notebook
        return
    now = shell.user_ns
    refuse_unknown(_given(now["In"], declared), declared)
    if missing := [name for name in declared if name not in now]:
        raise UserError(f"{', '.join(missing)}: expected a value in the parameters cell, got none")
    if changed := _changed(now):
        print(f"{changed}. What was computed below goes by the old value: run those cells again.")
    _checked.clear()
    _checked.update({name: now[name] for name in declared})
    shell.events.register("pre_run_cell", _say_what_changed)  # IPython registers a function once


def _given(cells: Sequence[str], declared: Iterable[str]) -> list[str]:
    """Return the names that the latest parameters cell sets, and the latest that papermill put in."""
    own = next((cell for cell in reversed(cells) if _is_parameters(cell, declared)), "")
    put_in = next((cell for cell in reversed(cells) if cell.startswith(INJECTED)), "")
    return [name for cell in (own, put_in) for name, _ in _names(cell)]


def _is_parameters(cell: str, declared: Iterable[str]) -> bool:
    """Tell whether a cell is the parameters cell: it sets a declared name with its type, as in `seed: int = 0`."""
    return any(typed and name in declared for name, typed in _names(cell))


def _names(cell: str) -> list[tuple[str, bool]]:
    """Return the names that a cell's own lines assign, each with whether it is typed."""
    try:
        lines = ast.parse(cell).body
    except SyntaxError:
        return []
    targets = [(target, False) for line in lines if isinstance(line, ast.Assign) for target in line.targets]
    targets += [(line.target, True) for line in lines if isinstance(line, ast.AnnAssign)]
    return [(target.id, typed) for target, typed in targets if isinstance(target, ast.Name)]


def _changed(now: dict[str, Any]) -> str:
    """Return which parameters are no longer as the set-up cell read them, in words; nothing if all are."""
    pairs = {name: (repr(old), repr(now.get(name))) for name, old in _checked.items()}
    return ", ".join(f"{name} changed from {old} to {new}" for name, (old, new) in pairs.items() if old != new)


def _say_what_changed(info: Any) -> None:
    """Say before a cell is run that a parameter has changed since the set-up cell read it; IPython calls this.

    Of the parameters cell itself it says which names nobody declares.
    """
    if _is_parameters(info.raw_cell, _checked):
        if unknown := [name for name, _ in _names(info.raw_cell) if name not in _checked]:
            print(_unknown(unknown, _checked))
    elif f"{check_parameters.__name__}(" not in info.raw_cell and (changed := _changed(vars(sys.modules["__main__"]))):
        print(f"{changed} since the cell that loads the parameters ran: run that cell and those below it again.")


def given(**values: Any) -> dict[str, Any]:
    """Return the parameters that are set, leaving out those at 0, which stand for the preset's value."""
    return {name: value for name, value in values.items() if value != 0}


def refuse_unknown(given, declared) -> None:
    """Raise UserError if a name of `given` is not among `declared`."""
    if unknown := sorted(set(given) - set(declared)):
        raise UserError(_unknown(unknown, declared))


def _unknown(names: Iterable[str], declared: Iterable[str]) -> str:
    return f"{', '.join(names)}: unknown parameter; the parameters are {', '.join(declared)}"


def without_outputs(model: dict[str, Any], **_: Any) -> None:
    """Take out of a notebook what running it put in, before Jupyter saves it: a hook that `make lab` names.

    Notebooks are stored without outputs, so reading one leaves the checkout as it was.

    Args:
        model: as Jupyter's contents manager saves it; changed in place.
    """
    if model["type"] != "notebook" or not model.get("content"):
        return
    model["content"]["metadata"]["language_info"] = {"name": "python"}
    for cell in model["content"]["cells"]:
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key not in RAN}
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None


def execute(notebook: str | Path, parameters: dict[str, Any], out: str | Path) -> Path:
    """Run a notebook from a fresh kernel and write it with its outputs to `out`.ipynb.

    Args:
        notebook: path of the notebook, stored without outputs.
        parameters: values by name; only those the notebook declares.
        out: path of the results without ending.

    Raises:
        UserError: no such notebook, an unknown parameter, a cell that fails (named, with its last line; what ran
            before it is kept), or a kernel that dies.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source, target = from_root(notebook), from_root(out)
    if not source.exists():
        known = ", ".join(sorted(p.stem for p in from_root("notebooks").glob("*.ipynb")))
        raise UserError(f"{source}: not found; the notebooks are {known}")
    refuse_unknown(parameters, papermill.inspect_notebook(str(source)))
    target.parent.mkdir(parents=True, exist_ok=True)
    ipynb = target.with_suffix(".ipynb")
    part = target.with_name(f".{target.name}-{uuid4().hex}.ipynb")  # written cell by cell, perhaps by two at once
    try:
        papermill.execute_notebook(
            str(source), str(part), parameters, kernel_name="python3", cwd=str(source.parent), progress_bar=False,
            kernel_manager_class=_own_kernel(),
        )  # fmt: skip
    except PapermillExecutionError as error:
        put(part, ipynb)
        raise UserError(f"{source.name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from None
    except RuntimeError as error:
        raise UserError(f"{source.name}: its kernel died, perhaps of too little memory: {error}") from None
    else:
        put(part, ipynb)
    finally:
        part.unlink(missing_ok=True)
    return ipynb


def _own_kernel() -> type:
    """Return a kernel manager that starts this interpreter, whatever Jupyter's folders call python3.

    Figures go into the notebook, whatever MPLBACKEND says.
    """
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec

    class OwnKernel(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**get_kernel_dict(), env={"MPLBACKEND": "module://matplotlib_inline.backend_inline"})

    return OwnKernel
