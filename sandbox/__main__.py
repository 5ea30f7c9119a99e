"""``python -m sandbox``: serve the rehearsal providers until a signal comes."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn

from sandbox.application import DEFAULT_LATENCY_MS, SETTLE_SECONDS, TOKEN_VARIABLE, control_token, create_app
from sandbox.callbacks import Calling
from sandbox.connections import CuttableProtocol

_IDLE_SECONDS = 300  # long, so that a client's pool never meets a connection that is just being closed
_GRACE_SECONDS = 2  # a hanging call does not hold up the end


class AnnouncingServer(uvicorn.Server):
    """Writes the address to standard output once requests are answered."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say where."""
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            sys.stdout.write(f"sandbox http://{f'[{host}]' if ':' in host else host}:{port}\n")
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    given = _parser().parse_args(arguments)
    home: Path = given.home
    calling = Calling(given.webhooks_url, given.webhook_secrets, given.webhook_wait, given.webhook_retry_seconds)
    options = {"latency_ms": given.latency, "allow_kill": dict(given.allow_kill), "settle_seconds": given.settle_seconds}
    try:
        app = create_app(home, control_token(home), **options, calling=calling)
    except sqlite3.OperationalError as error:
        sys.exit(f"sandbox: cannot open the memory in {home} ({error}); does another sandbox use it?")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    family = socket.AF_INET6 if ":" in given.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((given.host, given.port))
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    with suppress(KeyboardInterrupt):
        AnnouncingServer(config).run([listener])


def _parser() -> argparse.ArgumentParser:
    environment = os.environ.get
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Rehearsal providers on one port: Stripe, SendGrid, Shippo, Slack, Twilio, GitHub, a profile service, a warehouse.",
        epilog=f"The control token comes from {TOKEN_VARIABLE}, or from the file `token` in the home, which is made when missing.",
    )
    parser.add_argument("--host", default=environment("HUB_SANDBOX_HOST", "127.0.0.1"), help="HUB_SANDBOX_HOST")
    parser.add_argument(
        "--port", type=int, default=int(environment("HUB_SANDBOX_PORT", "8700")), help="HUB_SANDBOX_PORT; 0 picks a free one"
    )
    parser.add_argument("--home", type=Path, default=Path(environment("HUB_SANDBOX_HOME", ".hub/sandbox")), help="HUB_SANDBOX_HOME")
    parser.add_argument(
        "--latency",
        type=_latency,
        default=_latency(environment("HUB_SANDBOX_LATENCY", "")),
        help="HUB_SANDBOX_LATENCY, stripe=100,slack=50 (ms)",
    )
    parser.add_argument(
        "--settle-seconds",
        type=float,
        default=float(environment("HUB_SANDBOX_SETTLE_SECONDS", str(SETTLE_SECONDS))),
        help="HUB_SANDBOX_SETTLE_SECONDS: how long bank debits, pending refunds and asynchronous labels take",
    )
    allowed = [_role(item) for item in environment("HUB_SANDBOX_ALLOW_KILL", "").split(",") if item]
    parser.add_argument(
        "--allow-kill", type=_role, action="append", default=allowed, metavar="ROLE=PIDFILE", help="HUB_SANDBOX_ALLOW_KILL, comma-separated"
    )
    _add_webhooks(parser)
    return parser


def _add_webhooks(parser: argparse.ArgumentParser) -> None:
    environment = os.environ.get
    usual = Calling()
    parser.add_argument(
        "--webhooks-url",
        type=_web_address,
        default=_web_address(environment("SANDBOX_WEBHOOKS_URL", "")),
        help="SANDBOX_WEBHOOKS_URL: where webhooks go, below it each provider's name; nobody is called without",
    )
    file = environment("SANDBOX_WEBHOOK_SECRETS_FILE", "")
    parser.add_argument(
        "--webhook-secrets",
        type=Path,
        default=Path(file) if file else None,
        help="SANDBOX_WEBHOOK_SECRETS_FILE: JSON of the secret that each provider signs with",
    )
    parser.add_argument(
        "--webhook-wait",
        type=_wait,
        default=_wait(environment("SANDBOX_WEBHOOK_WAIT", "")),
        help="SANDBOX_WEBHOOK_WAIT: least and most ms until a webhook goes out, 50-150",
    )
    parser.add_argument(
        "--webhook-retry-seconds",
        type=float,
        default=float(environment("SANDBOX_WEBHOOK_RETRY_SECONDS", str(usual.retry_seconds))),
        help="SANDBOX_WEBHOOK_RETRY_SECONDS: the first wait after a failed delivery; the others grow with it",
    )


def _web_address(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")
    return text


def _wait(text: str) -> tuple[float, float]:
    if not text:
        return Calling().wait_seconds
    least, _, most = text.partition("-")
    if not least.isdecimal() or not (most or least).isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not LEAST-MOST in milliseconds")
    return int(least) / 1000, int(most or least) / 1000


def _latency(text: str) -> dict[str, float]:
    latency = {}
    for item in filter(None, text.split(",")):
        name, _, value = item.partition("=")
        if name not in DEFAULT_LATENCY_MS or not value.replace(".", "", 1).isdecimal():
            raise argparse.ArgumentTypeError(f"{item!r} is not one of {', '.join(DEFAULT_LATENCY_MS)} = milliseconds")
        latency[name] = float(value)
    return latency


def _role(text: str) -> tuple[str, Path]:
    role, _, file = text.partition("=")
    if not role or not file:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROLE=PIDFILE")
    return role, Path(file)


if __name__ == "__main__":
    main()
