"""One run and many: faces and a configuration in, a record with predictions out.

The same configuration on the same data is trained once. `records` and `grids` need no backend.
"""
