"""Notebooks: run in batch by papermill, with parameters that are checked."""

import ast
from pathlib import Path
from typing import Any
from uuid import uuid4

from gralib.errors import UserError, from_root

INJECTED = "# Parameters"
"""First line of the cell that papermill puts in."""


def check_parameters(**declared: Any) -> None:
    """Fail if papermill put in a parameter that the notebook does not declare (papermill itself only warns).

    Call it below the parameters cell with every parameter by name.

    Raises:
        UserError: an unknown parameter, with the right names.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    cells = shell.user_ns.get("In", []) if shell else []
    given: set[str] = set()
    for cell in cells:
        if cell.startswith(INJECTED):
            nodes = ast.walk(ast.parse(cell))
            given |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    refuse_unknown(given, declared)


def given(**values: Any) -> dict[str, Any]:
    """Return the parameters that are set, leaving out those at 0, which stand for the preset's value."""
    return {name: value for name, value in values.items() if value != 0}


def refuse_unknown(given, declared) -> None:
    """Raise UserError if a name of `given` is not among `declared`."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise UserError(f"{', '.join(unknown)}: unknown parameter; the parameters are {', '.join(declared)}")


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
        part.replace(ipynb)
        raise UserError(f"{source.name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from None
    except RuntimeError as error:
        raise UserError(f"{source.name}: its kernel died, perhaps of too little memory: {error}") from None
    else:
        part.replace(ipynb)
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
