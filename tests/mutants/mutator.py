"""Faults made by changing one node of a syntax tree: every place in the core's files where one of `CHANGES` applies.

Docstrings, type annotations and the texts of messages are left alone; so is `invariants/`, which is what finds the faults.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mutants.laboratory import CORE

FILES = (
    *("ahead.py", "answers.py", "attempts.py", "course.py", "launching.py", "lifecycle.py", "machine.py"),
    *("order.py", "policy.py", "questions.py", "records.py", "resources.py", "settling.py", "slots.py", "workers.py"),
)

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
# The way to a node: from the root, a field and, where that is a list, an index.
Path = tuple[tuple[str, int | None], ...]
METHODS = {"append": "appendleft", "appendleft": "append", "popleft": "pop"}


@dataclass(frozen=True)
class Mutant:
    """A file of the core with one change.

    Attributes:
        where: The file and function.
        line: The line in the unchanged file.
        change: The changed code before and after.
    """

    file: str
    where: str
    line: int
    change: str
    _tree: ast.Module
    _path: Path
    _changed: ast.AST

    @property
    def name(self) -> str:
        return f"{self.where}: {self.change}"

    @property
    def source(self) -> str:
        """The whole changed file."""
        tree = copy.deepcopy(self._tree)
        _replace(tree, self._path, self._changed)
        return ast.unparse(ast.fix_missing_locations(tree))


def mutants() -> list[Mutant]:
    """Every mutant of the core, in the order of the files and lines."""
    return [mutant for file in FILES for mutant in mutants_of(file, (CORE / file).read_text())]


def mutants_of(file: str, source: str) -> Iterator[Mutant]:
    """Every mutant of one file's source."""
    tree = ast.parse(source)
    for path, where in _places(tree, (), file.removesuffix(".py")):
        node = _at(tree, path)
        for changed in _changes(node):
            ast.fix_missing_locations(ast.copy_location(changed, node))
            change = f"{_shown(node)} -> {_shown(changed)}"
            yield Mutant(file, where, getattr(node, "lineno", 0), change, tree, path, changed)


# -- places ------------------------------------------------------------------------------------------------------------


def _places(node: ast.AST, path: Path, where: str) -> Iterator[tuple[Path, str]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = f"{where}.{node.name}"
    if path:
        yield path, where
    for field, value in ast.iter_fields(node):
        if field in (
            "annotation",
            "returns",
            "decorator_list",
            "type_params",
            "keywords" if isinstance(node, ast.ClassDef) else "",
        ):
            continue
        if isinstance(value, ast.AST):
            children: list[tuple[ast.AST, int | None]] = [(value, None)]
        else:
            children = [(item, i) for i, item in enumerate(value)] if isinstance(value, list) else []
        for child, index in children:
            if isinstance(child, ast.AST) and not _is_text(child):
                yield from _places(child, (*path, (field, index)), where)


def _is_text(node: ast.AST) -> bool:
    """Messages, docstrings and imports."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.expr_context)


def _at(tree: ast.AST, path: Path) -> ast.AST:
    node: ast.AST = tree
    for field, index in path:
        child = getattr(node, field)
        node = child if index is None else child[index]
    return node


def _replace(tree: ast.AST, path: Path, changed: ast.AST) -> None:
    parent, (field, index) = _at(tree, path[:-1]), path[-1]
    if index is None:
        setattr(parent, field, changed)
    else:
        getattr(parent, field)[index] = changed


def _shown(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()
    return text[0] if len(text) == 1 else f"{text[0]} ..."


# -- changes ------------------------------------------------------------------------------------------------------------


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Compare):
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
        yield ast.Compare(node.left, [node.ops[0], COMPARISONS[type(node.ops[1])](), *node.ops[2:]], node.comparators)
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.While):
        yield ast.While(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.AugAssign(node.target, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.value)
        yield ast.Pass()
    elif isinstance(node, ast.Assign | ast.Delete | ast.Expr):
        yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Attribute) and node.attr in METHODS:
        yield ast.Attribute(node.value, METHODS[node.attr], node.ctx)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
