"""Which hooks there are, by the settings."""

from collections.abc import Callable, Iterable

from workers.hooks.hook import RunHook
from workers.hooks.sentry import sentry_hooks
from workers.hooks.webhook import webhooks
from workers.runtime import Runtime

Factory = Callable[[Runtime], Iterable[RunHook]]

FACTORIES: tuple[Factory, ...] = (webhooks, sentry_hooks)


def hooks_of(runtime: Runtime) -> list[RunHook]:
    """Every hook that is told of nightly runs."""
    return [hook for factory in FACTORIES for hook in factory(runtime)]
