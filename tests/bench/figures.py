"""The figures of a run, one line each: name, space, value with its unit. Lines that begin with # are for people."""

from collections.abc import Sequence
from statistics import median, quantiles

import click


def say(words: str) -> None:
    """Tell whoever waits what is going on; figures go to standard output, this does not."""
    click.echo(f"   {words}", err=True)


def heading(words: str) -> None:
    click.echo(f"# {words}")


def rate(name: str, per_second: float) -> None:
    click.echo(f"{name} {per_second:.0f}/s" if per_second >= 100 else f"{name} {per_second:.1f}/s")


def ratio(name: str, value: float) -> None:
    click.echo(f"{name} {value:.3f}" if value < 0.1 else f"{name} {value:.2f}")


def milliseconds(name: str, value: float) -> None:
    click.echo(f"{name} {value:.2f} ms" if value < 10 else f"{name} {value:.1f} ms")


def microseconds(name: str, value: float) -> None:
    click.echo(f"{name} {value:.0f} us")


def percent(name: str, share: float) -> None:
    click.echo(f"{name} {share:.0%}")


def count(name: str, value: float, unit: str = "") -> None:
    click.echo(f"{name} {value:.0f} {unit}".rstrip())


def memory(name: str, resident: float, proportional: float, peak: float) -> None:
    """Say what a process has in memory: now, with shared pages divided among those who share them, and at most."""
    for kind, megabytes in (("resident", resident), ("proportional", proportional), ("peak", peak)):
        count(f"{name}-{kind}", megabytes, "MB")


def percentile(values: Sequence[float], hundredth: int) -> float:
    if not values:
        return 0.0
    return median(values) if len(values) < 2 else quantiles(values, n=100, method="inclusive")[hundredth - 1]


def paired(above: Sequence[float], below: Sequence[float]) -> float:
    """Give the median of the rounds' own ratios: what slows a whole round down does not move it."""
    return median(one / other for one, other in zip(above, below, strict=True))
