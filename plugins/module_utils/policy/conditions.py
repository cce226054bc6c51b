# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of a policy: JMESPath over a plain document."""

from __future__ import annotations

import functools
import typing as t

from ..model import J, ScapError

try:
    import jmespath
    from jmespath.exceptions import JMESPathError
except ImportError:
    jmespath = None
    JMESPathError = ValueError


@functools.lru_cache(maxsize=1024)
def compiled(expression: str) -> t.Any:
    """A parsed expression; ScapError where it is none."""
    if jmespath is None:
        raise ScapError("library_missing", "conditions need the Python package jmespath; install it")
    if len(expression) > 4096:
        raise ScapError("condition_invalid", "the expression is longer than 4096 characters")
    try:
        return jmespath.compile(expression)
    except (JMESPathError, RecursionError) as error:
        raise ScapError("condition_invalid", f"is not JMESPath: {' '.join(str(error).split())}") from error


def holds(expression: str, document: J) -> bool:
    """What the expression says of the document; ScapError where that is neither true nor false."""
    try:
        answer = compiled(expression).search(document)
    except (JMESPathError, RecursionError, TypeError, ValueError, ArithmeticError) as error:
        raise ScapError("condition_failed", f"{expression}: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(answer, bool):
        what = "nothing" if answer is None else type(answer).__name__
        raise ScapError("condition_failed", f"{expression}: gave {what}, not true or false")
    return answer
