"""From a data set as published to faces and who trains on them: files in, one table and uint8 pixels out.

`formats/` has one module a data set. Nothing here knows of networks.
"""
