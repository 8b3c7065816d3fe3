"""The paper: the network, its equations, what it is compared with, and the checks that need no data.

Nothing here knows of files.
"""
