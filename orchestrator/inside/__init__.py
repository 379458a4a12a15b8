"""Programs that run inside a workspace, as its user; it has nothing of ours, so they are sent.

They import the standard library and each other, speak lines of JSON, and end when their standard
input does: then the server, or whoever asked it, is gone.
"""
