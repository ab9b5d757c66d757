"""Expressions over the fields of a measurement, as the mapping writes them: ``sum(rate(rx_bytes)) / 1024``.

Numbers, fields, ``measurement.field`` of another measurement, ``+ - * /``, and calls: ``rate(field)`` of a counter, and
``hourly(field)``, its growth over the last hour, for events so rare that a rate says little;
``rate(measurement.field)`` is the rate of another measurement's counter at the same time;
``min(a, b)`` and ``max(a, b)`` of two values of one sample, ``least(a, b)`` the smaller one of those that are known,
``first(a, b)`` the second one where the first is not known; ``mean(x)``, ``sum(x)`` and ``peak(x)`` over the series of
one entity (its vCPUs, disks, interfaces); ``pool(x)`` is the mean over all samples of the entity, whatever their
series: shares of results that are told apart by a tag. ``time`` is the time of a sample, in seconds since the epoch.
What is not reduced over series is averaged.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from brownout.domain.errors import KnowledgeError
from brownout.numerics.arrays import Doubles

__all__ = ["REDUCTIONS", "TIME", "Cells", "Expression", "Frame", "parse"]

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
ALTERNATIVES: Mapping[str, Callable[[Any, Any], Any]] = {
    "least": np.fmin,
    "first": lambda first, other: np.where(np.isnan(first), other, first),
}
"""Of two values one is enough."""
PAIRWISE: Mapping[str, Callable[[Any, Any], Any]] = {"min": np.minimum, "max": np.maximum, **ALTERNATIVES}
REDUCTIONS = ("mean", "sum", "peak", "pool")
TIME = "time"


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One value for each cell of a frame: an entity in a slot."""

    values: Doubles


class Frame(Protocol):
    """The samples that an expression is evaluated on."""

    def field(self, name: str) -> Doubles:
        """Values of a field by row; of ``time`` the seconds since the epoch."""

    def foreign(self, measurement: str, name: str) -> Doubles:
        """The latest value of a field of another measurement, by row."""

    def rate(self, name: str) -> Doubles:
        """Rate a second of a counter field, by row."""

    def foreign_rate(self, measurement: str, name: str) -> Doubles:
        """Rate a second of another measurement's counter at the same time, by row."""

    def hourly(self, name: str) -> Doubles:
        """Growth of a counter field over the last hour, by row."""

    def reduce(self, values: Doubles, how: str) -> Cells:
        """Average rows of a series within a slot, then reduce over the series of an entity."""


@dataclass(frozen=True)
class Expression:
    """A checked expression."""

    text: str
    tree: ast.expr

    def __call__(self, frame: Frame) -> Cells:
        """Evaluate on a frame."""
        with np.errstate(divide="ignore", invalid="ignore"):
            result = _evaluate(self.tree, frame)
        if isinstance(result, Cells):
            return result
        return frame.reduce(np.asarray(result, float), "mean")

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Own fields that it needs, in the order of the text."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        owners = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)}
        names = [
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and id(node) not in called | owners and node.id != TIME
        ]
        return tuple(dict.fromkeys(names))

    @cached_property
    def foreign(self) -> tuple[tuple[str, str], ...]:
        """Measurement and field of others that it needs."""
        names = [_qualified(node) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)]
        return tuple(dict.fromkeys(names))

    @cached_property
    def counters(self) -> tuple[str, ...]:
        """Own fields of which a rate is taken."""
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        names = [part.id for call in calls for part in call.args if isinstance(part, ast.Name) and _is_rate(call)]
        return tuple(dict.fromkeys(names))

    def works_with(self, has: Callable[[str, str], bool]) -> bool:
        """Whether it has a value where some fields are not there; ``has(measurement, field)`` says which are.

        The measurement of its own fields is "".
        """
        return _works(self.tree, has)

    @cached_property
    def averages(self) -> bool:
        """Whether it may be evaluated on means over a slot: it has no counter, and only sums and constant factors."""
        return not self.foreign and _linear(self.tree)


def _is_rate(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("rate", "hourly")


def parse(text: str) -> Expression:
    """Check an expression; raises KnowledgeError naming the part that is not allowed."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise KnowledgeError(f"{text!r} is no expression: {error.msg}.", remedy="Correct it.") from error
    _check(tree, text)
    return Expression(text, tree)


def _check(node: ast.expr, text: str) -> None:  # noqa: PLR0911 - one way out for each kind of node
    match node:
        case ast.Constant(value=int() | float()) | ast.Name():
            return None
        case ast.Attribute(value=ast.Name()):
            return None
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _check(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            _check(left, text)
            return _check(right, text)
        case ast.Call(func=ast.Name(id="rate" | "hourly"), args=[ast.Name()], keywords=[]):
            return None
        case ast.Call(func=ast.Name(id="rate"), args=[ast.Attribute(value=ast.Name())], keywords=[]):
            return None
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in REDUCTIONS:
            return _check(argument, text)
        case ast.Call(func=ast.Name(id=name), args=[left, right], keywords=[]) if name in PAIRWISE:
            _check(left, text)
            return _check(right, text)
    msg = f"{ast.unparse(node)!r} in {text!r} is not allowed."
    raise KnowledgeError(
        msg,
        remedy=f"Use fields, numbers, + - * /, rate(field), hourly(field), {', '.join([*PAIRWISE, *REDUCTIONS])}.",
    )


def _evaluate(node: ast.expr, frame: Frame) -> Any:  # noqa: C901, PLR0911 - one way out for each kind of node
    match node:
        case ast.Constant(value=number):
            return float(number)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return frame.field(name)
        case ast.Attribute():
            return frame.foreign(*_qualified(node))
        case ast.UnaryOp(operand=operand):
            return _apply(np.multiply, -1.0, _evaluate(operand, frame), frame)
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(OPERATORS[type(op)], _evaluate(left, frame), _evaluate(right, frame), frame)
        case ast.Call(func=ast.Name(id="rate"), args=[ast.Name(id=name)]):
            return frame.rate(name)
        case ast.Call(func=ast.Name(id="rate"), args=[ast.Attribute() as counter]):
            return frame.foreign_rate(*_qualified(counter))
        case ast.Call(func=ast.Name(id="hourly"), args=[ast.Name(id=name)]):
            return frame.hourly(name)
        case ast.Call(func=ast.Name(id=name), args=[left, right]):
            return _apply(PAIRWISE[name], _evaluate(left, frame), _evaluate(right, frame), frame)
        case ast.Call(func=ast.Name(id=how), args=[argument]):
            value = _evaluate(argument, frame)
            return value if isinstance(value, Cells) else frame.reduce(value, how)
    raise AssertionError(ast.dump(node))


def _apply(operation: Callable[[Any, Any], Any], left: Any, right: Any, frame: Frame) -> Any:
    """Of a value of cells and one of rows, the rows are averaged to cells."""
    if not isinstance(left, Cells) and not isinstance(right, Cells):
        return operation(left, right)
    first, second = (_of_cells(value, frame) for value in (left, right))
    return Cells(operation(first, second))


def _of_cells(value: Any, frame: Frame) -> Any:
    if isinstance(value, Cells):
        return value.values
    return value if np.isscalar(value) else frame.reduce(value, "mean").values


def _works(node: ast.expr, has: Callable[[str, str], bool]) -> bool:
    match node:
        case ast.Name(id=name):
            return name == TIME or has("", name)
        case ast.Attribute():
            return has(*_qualified(node))
        case ast.Call(func=ast.Name(id=name), args=parts):
            results = [_works(part, has) for part in parts]
            return any(results) if name in ALTERNATIVES else all(results)
    return all(_works(part, has) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))


def _qualified(node: ast.Attribute) -> tuple[str, str]:
    return (node.value.id if isinstance(node.value, ast.Name) else "", node.attr)


def _linear(node: ast.expr) -> bool:  # noqa: PLR0911 - one way out for each kind of node
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name != TIME
        case ast.UnaryOp(operand=operand):
            return _linear(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return _linear(left) and _linear(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return (
                _linear(left) and _linear(right) and (isinstance(left, ast.Constant) or isinstance(right, ast.Constant))
            )
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant()):
            return _linear(left)
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in REDUCTIONS:
            return name != "pool" and _linear(argument)
    return False
