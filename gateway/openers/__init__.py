"""Openers: they know how each provider signs what it sends, and how one delivery becomes notices. Nothing here does any I/O."""
