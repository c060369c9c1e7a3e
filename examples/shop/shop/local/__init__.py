"""The shop's services as processes of this machine, without a supervisor: the registry file says how to start each again."""

from shop.local.application import LocalError, down, start_again, up

__all__ = ["LocalError", "down", "start_again", "up"]
