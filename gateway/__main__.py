"""``python -m gateway``: serve until a signal comes."""

from __future__ import annotations

import argparse
import logging
from urllib.parse import urlsplit

import uvicorn

from blocks.telemetry import start_tracing
from gateway.application import create_app
from hub.settings import settings


def main() -> None:
    """Serve the gateway where ``HUB_GATEWAY_URL`` says, or where the arguments do."""
    address = urlsplit(settings().gateway_url)
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The hub's gateway: webhooks and orders in, state out.")
    parser.add_argument("--host", default=address.hostname)
    parser.add_argument("--port", type=int, default=address.port)
    parser.add_argument("--only", choices=["webhooks", "orders"], help="only this part, for a port of its own; by default both")
    options = parser.parse_args()
    logging.basicConfig(format="%(levelname)s:     %(message)s")  # as uvicorn writes its own
    logging.getLogger("gateway").setLevel(logging.INFO)
    start_tracing("hub-gateway")
    uvicorn.run(
        create_app(options.only), host=options.host, port=options.port, access_log=False, server_header=False, timeout_graceful_shutdown=5
    )


if __name__ == "__main__":
    main()
