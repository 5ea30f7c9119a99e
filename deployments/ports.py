"""Ports on loopback: free ones, and who to blame for taken ones."""

from __future__ import annotations

import socket

from deployments.problems import Problem

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """``count`` different ports nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def must_be_free(port: int, *, used_by: str, setting: str) -> None:
    """
    Nobody listens on ``port``.

    Raises:
        Problem: Somebody does; names the port and the ``setting`` that chooses another one.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as taken:
            message = f"Port {port} for the {used_by} is in use: stop what listens there, or choose another port with {setting}."
            raise Problem(message) from taken
