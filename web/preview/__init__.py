"""Previews: requests to what runs in workspaces, each on an origin of its own.

They never reach Flask: :mod:`web.preview.gateway` answers them from the client's socket.
"""
