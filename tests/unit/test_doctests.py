"""Where a number explains better than words, the docstring has it, and it is true."""

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import schemas
import stream.domain

MODULES = sorted(
    found.name for package in (stream.domain, schemas) for found in walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    failed, _ = doctest.testmod(import_module(name))

    assert failed == 0


def test_the_formulas_have_examples() -> None:
    with_examples = {name for name in MODULES if any(test.examples for test in doctest.DocTestFinder().find(import_module(name)))}

    assert {"stream.domain.decay", "stream.domain.sequences", "stream.domain.ids", "stream.domain.instants"} <= with_examples
