"""Conditions of Argo Rollouts' metrics: as much of the language `expr` as such conditions use (utils/evaluate)."""

import ast
import re

NUMBER = (int, float)


class Wrong(Exception):
    """The condition does not compile, or does not run: the measurement is an error."""


def condition(text, result):
    """Whether a condition holds of a result: a string, a number, a list of numbers."""
    words = re.findall(r'"[^"]*"|\d+(?:\.\d+)?|&&|\|\||[=!<>]=|[A-Za-z_]\w*|\S', text)
    python = {"&&": "and", "||": "or", "!": "not", "true": "True", "false": "False", "nil": "None"}
    try:
        tree = ast.parse(" ".join(python.get(word, word) for word in words), mode="eval")
    except SyntaxError as error:
        raise Wrong(f"unexpected token in {text!r}") from error
    value = evaluate(tree.body, {"result": result})
    if not isinstance(value, bool):
        raise Wrong(f"expected bool, but got {value!r}")
    return value


def evaluate(node, env):
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in env:
            return env[name]
        case ast.List(elts=items):
            return [evaluate(item, env) for item in items]
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not boolean(evaluate(inner, env))
        case ast.BoolOp(op=operator, values=inner):
            # Left to right, and no further than needed: `len(result) > 0 &&` guards what stands behind it.
            enough = isinstance(operator, ast.Or)
            return next((enough for one in inner if boolean(evaluate(one, env)) == enough), not enough)
        case ast.Subscript(value=whole, slice=at):
            return element(evaluate(whole, env), evaluate(at, env))
        case ast.Call(func=ast.Name(id="len"), args=[one]):
            return length(evaluate(one, env))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return compare(operator, evaluate(left, env), evaluate(right, env))
    raise Wrong(f"not known to this player: {ast.dump(node)}")


def boolean(value):
    if not isinstance(value, bool):
        raise Wrong(f"invalid operation with {value!r}: no bool")
    return value


def element(whole, at):
    if not isinstance(whole, list):
        raise Wrong(f"type {type(whole).__name__} has no elements")
    if at >= len(whole):
        raise Wrong(f"reflect: slice index out of range: {at}")
    return whole[at]


def length(value):
    if not isinstance(value, (list, str)):
        raise Wrong(f"invalid argument for len: {value!r}")
    return len(value)


def compare(operator, left, right):
    if isinstance(operator, ast.In):
        if not isinstance(right, list) or not all(same_kind(left, one) for one in right):
            raise Wrong(f"mismatched types: {left!r} in {right!r}")
        return left in right
    if not same_kind(left, right):
        raise Wrong(f"mismatched types: {left!r} and {right!r}")
    comparisons = {
        ast.Eq: lambda: left == right,
        ast.NotEq: lambda: left != right,
        ast.Lt: lambda: left < right,
        ast.LtE: lambda: left <= right,
        ast.Gt: lambda: left > right,
        ast.GtE: lambda: left >= right,
    }
    if type(operator) not in comparisons:
        raise Wrong(f"not known to this player: {operator}")
    return comparisons[type(operator)]()


def same_kind(left, right):
    return type(left) is type(right) or (isinstance(left, NUMBER) and isinstance(right, NUMBER))
