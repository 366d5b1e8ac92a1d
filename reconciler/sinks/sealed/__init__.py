"""Encrypted files, one per token, to be committed: the sink types `age` and `sops`.

`cipher` is the port that the two programs stand behind, `files` the one for places: a folder, or a branch.
"""
