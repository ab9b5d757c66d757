"""Answers about moves, sizes and places as lines for people."""

from collections.abc import Iterator, Mapping

from brownout.domain.findings.past_scores import PastScores
from brownout.domain.metrics import Metric
from brownout.planning.placing.new_guest import HostRoom, PlacementAnswer
from brownout.planning.what_if.console_effects import ConsoleEffect
from brownout.planning.what_if.what_if_answer import AskedChange, SaturationChange, SaturationDates, WhatIf
from brownout.reporting.numbers import clock, figure, percent

__all__ = ["placement_lines", "score_lines", "what_if_lines"]


def score_lines(past: PastScores, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """How warnings turned out, then each logged action with what was predicted and what came."""
    warned = past.warnings
    if warned.told:
        came = f"{warned.came} came true ({figure(warned.expected)} expected by their chances)"
        dates = f"{warned.inside} of {warned.dated} within their dates"
        yield f"Warnings whose time is over: {warned.told} of {warned.nights} nights; {came}, {dates}."
    else:
        yield "No warning's time is over yet."
    for one in past.advice:
        unit = metrics[one.action.metric].unit if one.action.metric in metrics else ""
        prediction = (
            f"{figure(one.action.low)} to {figure(one.action.high, unit)} from {figure(one.action.before, unit)}"
        )
        outcome = f"; predicted {prediction}, came {figure(one.came, unit)}" if one.action.metric else ""
        yield f"  {clock(one.action.at)} UTC, {one.action.entity}: {one.action.title}: {one.verdict.value}{outcome}"
    if not past.advice:
        yield "No action was logged until the data end: `brownout actions log ACTION --out DIR` logs one."


def placement_lines(answer: PlacementAnswer) -> Iterator[str]:
    """Where the guest goes, then every host with its room, or with the reason why it takes none."""
    yield f"{answer.answer} It will probably take {figure(answer.cpus_expected)} CPUs at its busiest."
    for host in answer.hosts:
        yield f"  {host.name}: {_room(host)}"


def _room(host: HostRoom) -> str:
    if not host.fits:
        return f"no, {host.reason}"
    when = f"{clock(host.peak_at)} UTC"
    peak = f"at most {figure(host.cpu_peak_pct, '%')} busy with it ({when})"
    return f"fits; {peak}; {figure(host.cpu_free)} CPUs and {figure(host.memory_free_gib)} GiB free before it"


def what_if_lines(answer: WhatIf, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """What was asked, the effect on consoles, the dates at which resources run out, and what is not known."""
    for change in answer.changes:
        yield f"If {_words(change)}:"
    yield ""
    yield f"Console latency over the last {answer.days:g} days, and as it would have been (8 of 10 outcomes between):"
    for one in answer.consoles:
        metric = metrics[one.metric]
        typical, slowest = _effect(one.p50, metric), _effect(one.p95, metric)
        yield f"  {one.about}, {metric.label}: typical {typical}; slowest 5 % {slowest}"
    if not answer.consoles:
        yield "  not known: no console of these guests and hosts is measured"
    yield ""
    yield "Limits that will probably be crossed:"
    for limit in answer.saturation:
        yield f"  {_saturation(limit, metrics[limit.metric])}"
    if not answer.saturation:
        yield "  none of these hosts and guests, neither as things are nor after the change"
    for warning in answer.warnings:
        yield f"Note: {warning}"


def _words(change: AskedChange) -> str:
    parts = []
    if change.to_host != change.from_host:
        parts.append(f"is on {change.to_host} instead of {change.from_host}")
    if change.vcpus_after != change.vcpus:
        parts.append(f"has {change.vcpus_after:g} vCPUs instead of {change.vcpus:g}")
    if change.memory_gib_after != change.memory_gib:
        parts.append(f"has {change.memory_gib_after:g} GiB of memory instead of {change.memory_gib:g}")
    return f"{change.name} {' and '.join(parts) or 'stays as it is'}"


def _effect(effect: ConsoleEffect, metric: Metric) -> str:
    low, high = figure(effect.low), figure(effect.high, metric.unit)
    return f"{figure(effect.before)} → {figure(effect.after, metric.unit)} ({low} to {high})"


def _saturation(change: SaturationChange, metric: Metric) -> str:
    limit = figure(change.limit, metric.unit)
    return f"{change.name}, {metric.label} {limit}: now {_dates(change.before)}; after it {_dates(change.after)}"


def _dates(dates: SaturationDates | None) -> str:
    if dates is None:
        return "not foreseen"
    if dates.exceeded:
        return f"beyond it already, {percent(dates.probability)} that it comes again"
    when = f"likely {clock(dates.likely)} UTC" if dates.likely is not None else "at no certain time"
    return f"{percent(dates.probability)}, {when} (from {clock(dates.earliest)} to {clock(dates.latest)})"
