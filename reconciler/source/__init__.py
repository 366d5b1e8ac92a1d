"""Reads the files that people write and says all that is wrong with them at once (DESIGN §3).

    files -> text -> strict_yaml -> schema -> config | build (tokens, checks) -> TokenSet

Nothing here touches the network, expands a variable, or follows a name out of the file.
"""
