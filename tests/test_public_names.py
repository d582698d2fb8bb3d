"""The names of `asyncsweep`: one list, one table and what type checkers see, all the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import asyncsweep
from asyncsweep import errors
from asyncsweep.core import effects

SOURCE = ast.parse(Path(asyncsweep.__file__).read_text())


def names_seen_by_type_checkers() -> dict[str, str]:
    """Name -> module, of the imports under `if TYPE_CHECKING`."""
    block = next(node for node in SOURCE.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def test_all_lists_the_names_of_the_table_in_order() -> None:
    assert asyncsweep.__all__ == sorted([*asyncsweep._MODULES, "__version__"])


def test_type_checkers_see_the_names_of_the_table() -> None:
    table = {name: f"asyncsweep.{module}" for name, module in asyncsweep._MODULES.items()}
    assert names_seen_by_type_checkers() == table


@pytest.mark.parametrize("name", asyncsweep.__all__)
def test_a_public_name_resolves_to_what_bears_it(name: str) -> None:
    found = getattr(asyncsweep, name)
    assert name == "hookimpl" or getattr(found, "__name__", name) == name


def test_every_error_and_update_is_public() -> None:
    modules = ((errors, errors.AsyncSweepError), (effects, effects.Update))
    expected = {
        name for module, root in modules for name, cls in vars(module).items() if isinstance(cls, type) and issubclass(cls, root)
    }  # fmt: skip
    assert expected <= set(asyncsweep.__all__)


@pytest.mark.parametrize("name", asyncsweep.__all__)
def test_no_module_has_a_public_name(name: str) -> None:
    # Python puts a module that is imported into its package, in the place of what has the name there.
    place = Path(asyncsweep.__file__).parent / name
    assert not place.is_dir() and not place.with_suffix(".py").exists()


def test_a_name_is_looked_up_once() -> None:
    assert vars(asyncsweep).get("ConfigError", errors.ConfigError) is asyncsweep.ConfigError
    assert "ConfigError" in vars(asyncsweep)


def test_dir_shows_every_public_name() -> None:
    assert set(asyncsweep.__all__) <= set(dir(asyncsweep))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'asyncsweep' has no attribute 'Sweeep'"):
        asyncsweep.Sweeep  # noqa: B018
