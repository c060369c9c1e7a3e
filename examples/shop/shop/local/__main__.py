"""`python -m shop.local up|down|status|restart|proxies`: the shop's services on this machine."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shop.environment import Settings
from shop.local import application
from shop.local.application import LocalError
from shop.local.registry import DEFAULT_HOME, Home, Registry
from shop.local.topology import Options


def main(words: Sequence[str] | None = None) -> int:
    """Do what was asked. Returns the exit status: 0 done, 1 could not be done; of `status` 1 when a service is not healthy."""
    given = _parser().parse_args(words)
    home = Home(given.home)
    try:
        return int(given.do(home, given))
    except (LocalError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _up(home: Home, given: argparse.Namespace) -> int:
    settings = Settings.from_env()
    if given.payment_timeout is not None:
        settings = replace(settings, payment_timeout=given.payment_timeout)
    options = Options(settings, sqs=given.sqs or None, toxiproxy=given.toxiproxy, order_port=given.order_port)
    registry = application.up(home, options)
    _show(home, registry, as_json=given.json)
    return 0


def _down(home: Home, given: argparse.Namespace) -> int:
    ended = application.down(home)
    _say(json.dumps({"ended": ended}) if given.json else f"ended: {', '.join(ended) or 'nothing'}")
    return 0


def _status(home: Home, given: argparse.Namespace) -> int:
    registry = home.load()
    if registry is None:
        raise LocalError(f"no shop was started in {home.path}; `up` starts one")
    return 0 if _show(home, registry, as_json=given.json) else 1


def _restart(home: Home, given: argparse.Namespace) -> int:
    application.restart(given.name, home, changes=dict(given.set))
    return _status(home, given)


def _proxies(home: Home, given: argparse.Namespace) -> int:
    made = application.remake_proxies(home)
    _say(json.dumps({"proxies": made}) if given.json else f"made: {', '.join(made)}")
    return 0


def _show(home: Home, registry: Registry, *, as_json: bool) -> bool:
    """Print every service and proxy. Returns whether all services are healthy."""
    states = {
        name: "healthy"
        if application.is_healthy(each)
        else ("not answering" if application.is_running(each) else "ended")
        for name, each in registry.services.items()
    }
    if as_json:
        services = {
            name: {"state": states[name], "pid": each.pid, "url": each.url}
            for name, each in registry.services.items()
        }
        proxies = {name: each.url for name, each in registry.proxies.items()}
        _say(json.dumps({"registry": str(home.file), "services": services, "proxies": proxies}, indent=2))
    else:
        for name, each in registry.services.items():
            _say(f"{name:<12}{states[name]:<15}{each.url:<24}process {each.pid}")
        for name, proxy in registry.proxies.items():
            _say(f"{name:<27}{proxy.url:<24}to {proxy.upstream}")
    return set(states.values()) <= {"healthy"}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--home", type=Path, default=DEFAULT_HOME, help="folder of registry, logs and records"
    )
    common.add_argument("--json", action="store_true")
    parser = argparse.ArgumentParser(prog="python -m shop.local", description=__doc__)
    commands = parser.add_subparsers(required=True)

    up = commands.add_parser("up", parents=[common], help="start all services, and leave them running")
    up.add_argument("--toxiproxy", metavar="URL", help="lead all connections through this server")
    up.add_argument("--sqs", metavar="URL", default=os.environ.get("AWS_ENDPOINT_URL"), help="use SQS there")
    up.add_argument("--payment-timeout", metavar="SECONDS", type=float, help="as SHOP_PAYMENT_TIMEOUT")
    up.add_argument(
        "--order-port", metavar="PORT", type=int, help="where orders are taken; any free port unless told"
    )
    up.set_defaults(do=_up)
    commands.add_parser("down", parents=[common], help="end what was started").set_defaults(do=_down)
    commands.add_parser("status", parents=[common], help="tell how the services are").set_defaults(do=_status)
    restart = commands.add_parser("restart", parents=[common], help="start a service again")
    restart.add_argument("name")
    restart.add_argument("--set", metavar="KEY=VALUE", type=_assignment, action="append", default=[])
    restart.set_defaults(do=_restart)
    again = commands.add_parser("proxies", parents=[common], help="make proxies that Toxiproxy has lost")
    again.set_defaults(do=_proxies)
    return parser


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.startswith("SHOP_"):
        raise argparse.ArgumentTypeError("give SHOP_…=VALUE; an empty value unsets it")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
