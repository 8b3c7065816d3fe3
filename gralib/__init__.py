"""GRA_Net, reproduced: the network, the loaders, the protocols, the study.

What a notebook needs most is here, loaded when it is first asked for; ARCHITECTURE.md says where the rest is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gralib import predict
    from gralib.config import RunConfig, configure, configure_tasks
    from gralib.data.audit import contradictions, leakage
    from gralib.data.faces import open_faces
    from gralib.data.formats import find_root
    from gralib.data.splits import split
    from gralib.evaluation import claims, compare
    from gralib.evaluation.study import Study
    from gralib.model.attention import GatedAttention, MaskActivation
    from gralib.model.network import gra_net
    from gralib.report import figures, gridfigures
    from gralib.report.answers import answer, first_picture
    from gralib.report.live import Live
    from gralib.training import batch, grids
    from gralib.training.batch import run_grid
    from gralib.training.experiment import masks_of, run, run_folds

PLACES = {
    "evaluation.claims": ["claims"], "evaluation.compare": ["compare"], "evaluation.study": ["Study"],
    "config": ["RunConfig", "configure", "configure_tasks"],
    "data.audit": ["contradictions", "leakage"], "data.faces": ["open_faces"], "data.formats": ["find_root"],
    "data.splits": ["split"],
    "report.figures": ["figures"], "report.gridfigures": ["gridfigures"],
    "report.answers": ["answer", "first_picture"], "report.live": ["Live"],
    "model.attention": ["GatedAttention", "MaskActivation"], "model.network": ["gra_net"],
    "training.grids": ["grids"], "training.batch": ["batch", "run_grid"],
    "training.experiment": ["masks_of", "run", "run_folds"], "predict": ["predict"],
}  # fmt: skip
"""The modules behind the names; a module can be a name itself."""

__all__ = [
    "GatedAttention", "Live", "MaskActivation", "RunConfig", "Study", "answer", "batch", "claims", "compare",
    "configure", "configure_tasks", "contradictions", "figures", "find_root", "first_picture", "gra_net", "gridfigures",
    "grids", "leakage", "masks_of", "open_faces", "predict", "run", "run_folds", "run_grid", "split",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what is asked for from its place (PEP 562)."""
    place = next((place for place, names in PLACES.items() if name in names), None)
    if place is None:
        raise AttributeError(f"module 'gralib' has no attribute {name!r}")
    module = import_module(f"gralib.{place}")
    return module if place.rpartition(".")[2] == name else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
