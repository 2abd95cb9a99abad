"""The name of a call's final code; grpc.aio leaves it unset after success."""

# grpc classes are generic in their stubs only, not when the program runs.
from __future__ import annotations

from typing import Any

import grpc
from grpc import aio

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def code_name(context: aio.ServicerContext[Any, Any]) -> str:
    """`OK`, or the code the call was ended with."""
    code: Any = context.code()
    if code is None or code == 0:
        return "OK"
    return str(code.name) if isinstance(code, grpc.StatusCode) else _NAMES.get(int(code), "UNKNOWN")
