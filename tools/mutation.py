"""Mutants of a module: one small change each, as a tree; `make mutants` runs tests with each of them in place.

A change that no test notices is a check that nothing needs, or that nobody tests. Texts that people read are left as
they are: what an error says is not what decides.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "ljust": "rjust"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """where: function or class. line: first line of the statement. change: of a node. source: of the whole module."""

    where: str
    line: str
    change: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it, whatever stands above it in the module."""
        return self.where, self.line, self.change


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its text; two that have one key are told apart by a number."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen: dict[tuple[str, str, str], int] = {}
    for path, where, line in _places(tree):
        node = _at(tree, path)
        for made in _changed(node):
            _put(tree, path, made)
            mutated = ast.unparse(ast.fix_missing_locations(tree))
            _put(tree, path, node)
            change = f"{_text(node)} -> {_text(made)}"
            number = seen[where, line, change] = seen.get((where, line, change), 0) + 1
            told = change if number == 1 else f"{change} ({number})"
            found.append(Mutant(where, line, told, mutated))
    return found


Path = tuple[tuple[str, int | None], ...]
"""Fields and indexes that lead to a node."""


def _places(tree: ast.Module) -> Iterator[tuple[Path, str, str]]:
    """Every node that may be changed."""

    def within(node: ast.AST, path: Path, where: str, line: str) -> Iterator[tuple[Path, str, str]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            where = f"{where}.{node.name}".removeprefix(".")
        if isinstance(node, ast.stmt):
            line = _text(node)
        if line.startswith(("TYPE_CHECKING = ", "if TYPE_CHECKING:")):
            return  # for type checkers alone
        yield path, where, line
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            if isinstance(value, ast.AST) and not _is_text(value):
                yield from within(value, (*path, (field, None)), where, line)
            elif isinstance(value, list):
                for number, one in enumerate(value):
                    if isinstance(one, ast.AST) and not _is_text(one):
                        yield from within(one, (*path, (field, number)), where, line)

    for number, statement in enumerate(tree.body):
        if not isinstance(statement, ast.Import | ast.ImportFrom) and not _is_text(statement):
            yield from within(statement, (("body", number),), "", "")


def _is_text(node: ast.AST) -> bool:
    """A docstring, what a text for people is made of, or a type."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
        return True
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may be changed to."""
    for kind, change in _CHANGES:
        if isinstance(node, kind):
            yield from change(node)


def _of_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        for other in _COMPARED[type(operator)]:
            made = copy.deepcopy(node)
            made.ops[at] = other()
            yield made


def _of_bool_op(node: ast.BoolOp) -> Iterator[ast.AST]:
    made = copy.deepcopy(node)
    made.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield made
    for at in range(len(node.values)):
        left = [value for number, value in enumerate(node.values) if number != at]
        yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _of_constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value:
            yield ast.Constant(value - 1)
    elif isinstance(value, str) and " " not in value:  # others are read by people
        yield ast.Constant(f"{value}X")  # a letter: names of encodings are read without the rest
    elif isinstance(value, bytes):
        yield ast.Constant(value + b"X")


def _of_test(node: ast.If | ast.IfExp | ast.While) -> Iterator[ast.AST]:
    for test in (ast.Constant(value=True), ast.Constant(value=False)):
        made = copy.deepcopy(node)
        made.test = test
        yield made


def _of_filter(node: ast.comprehension) -> Iterator[ast.AST]:
    for at in range(len(node.ifs)):
        made = copy.deepcopy(node)
        del made.ifs[at]
        yield made


def _of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    if not (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom)):
        yield ast.Pass()


def _of_return(node: ast.Return) -> Iterator[ast.AST]:
    nothing = isinstance(node.value, ast.Constant) and node.value.value in (None, False)  # the same to whoever asks
    if node.value is not None and not nothing:
        yield ast.Return(ast.Constant(None))


def _of_call(node: ast.Call) -> Iterator[ast.AST]:
    """One argument by name less, as where there is a default."""
    for at in range(len(node.keywords)):
        made = copy.deepcopy(node)
        del made.keywords[at]
        yield made


def _of_name(node: ast.Name | ast.Attribute) -> Iterator[ast.AST]:
    name = node.id if isinstance(node, ast.Name) else node.attr
    if name in _NAMES:
        made = copy.deepcopy(node)
        setattr(made, "id" if isinstance(node, ast.Name) else "attr", _NAMES[name])
        yield made


def _of_binary(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in _COMPUTED:
        yield ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)


def _of_list(node: ast.Tuple | ast.List) -> Iterator[ast.AST]:
    """One value less that is spread, or one value of several."""
    if isinstance(node.ctx, ast.Load):
        for at in range(len(node.elts)):
            made = copy.deepcopy(node)
            del made.elts[at]
            yield made


_CHANGES: list[tuple[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., Iterator[ast.AST]]]] = [
    (ast.Compare, _of_comparison),
    (ast.BoolOp, _of_bool_op),
    (ast.UnaryOp, lambda node: iter([node.operand] if isinstance(node.op, ast.Not) else [])),
    (ast.Constant, _of_constant),
    ((ast.If, ast.IfExp, ast.While), _of_test),
    (ast.comprehension, _of_filter),
    ((ast.Raise, ast.Expr, ast.AugAssign, ast.Continue, ast.Break), _of_statement),
    (ast.Return, _of_return),
    (ast.Call, _of_call),
    ((ast.Name, ast.Attribute), _of_name),
    (ast.BinOp, _of_binary),
    ((ast.Tuple, ast.List), _of_list),
]


def _at(tree: ast.AST, path: Path) -> ast.AST:
    node: object = tree
    for field, number in path:
        node = getattr(node, field)
        if number is not None:
            node = node[number]  # type: ignore[index]
    assert isinstance(node, ast.AST)  # noqa: S101
    return node


def _put(tree: ast.AST, path: Path, made: ast.AST) -> None:
    *before, (field, number) = path
    parent = _at(tree, tuple(before))
    if number is None:
        setattr(parent, field, made)
    else:
        getattr(parent, field)[number] = made


def _text(node: ast.AST) -> str:
    """Its first line, however it was written."""
    return ast.unparse(node).partition("\n")[0][:160]
