"""`make play`: the notebook `play` as a web page by Voilà, for the browser on this machine alone.

It listens on 127.0.0.1, on the first free port, asks for the token in the address it prints, answers to no other host's
name, and serves the one notebook. `python -m gralib.visitors.playserver [--no-browser]`.
"""

import sys

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from voila.app import Voila

from gralib.data.sources import HEAVIEST
from gralib.errors import from_root
from gralib.visitors.play import MOST

LONGEST = MOST * HEAVIEST + (1 << 20)
"""Bytes of the longest message: all uploads come in one; a longer one would be lost without a word, as beyond 10 MiB
by default."""


class OwnKernel(KernelSpecManager):
    """This interpreter, whatever Jupyter's folders call python3."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the specification of this interpreter."""
        return KernelSpec(**get_kernel_dict())


class Page(Voila):
    """Voilà with one notebook, a token, and the check of host names that it leaves out."""

    def init_settings(self):
        """Return the settings of the web application."""
        local = {"allow_remote_access": False, "local_hostnames": ["localhost", "127.0.0.1"]}
        return {**super().init_settings(), **local, "websocket_max_message_size": LONGEST}


def serve(argv: list[str]) -> None:
    """Serve the page until interrupted."""
    own = ["--token", "--Voila.ip=127.0.0.1", "--kernel_spec_manager_class=gralib.visitors.playserver.OwnKernel"]
    Page.launch_instance([str(from_root("notebooks/play.ipynb")), *argv, *own])


if __name__ == "__main__":
    serve(sys.argv[1:])
