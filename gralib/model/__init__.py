"""The paper: the network, its equations, what it is compared with, and the checks that need no data.

Nothing here knows of files. Importing this package starts the backend: what `backend.start` sets has to be set before
Keras is loaded. A process that wants more threads than one calls it first.
"""

from gralib import backend

backend.start()
