"""Every error reason of the code exists in the public enum, and every method names its role."""

import importlib
import inspect
from pathlib import Path

import touchpoint
from google.protobuf.descriptor import ServiceDescriptor
from touchpoint.common.v1 import access_pb2, error_reason_pb2

from libs import errors
from libs.chassis.interceptors.errors import status_of
from libs.chassis.roles import method_roles


def _error_classes() -> list[type[errors.TouchpointError]]:
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    return [c for c in found if issubclass(c, errors.TouchpointError)]


def test_reasons_are_values_of_the_public_enum() -> None:
    known = {
        v.name.removeprefix("ERROR_REASON_") for v in error_reason_pb2.ErrorReason.DESCRIPTOR.values
    }
    assert {c.reason for c in _error_classes()} <= known
    assert all(len(name) <= 63 for name in known)


def test_every_kind_has_a_grpc_code() -> None:
    for kind in errors.Kind:
        error = errors.TouchpointError("x")
        error.kind = kind
        assert status_of(error).code > 0


def _services() -> list[ServiceDescriptor]:
    # The generated tree has no __init__ files, so modules are found as files.
    roots = [Path(root) for root in touchpoint.__path__]
    found: list[ServiceDescriptor] = []
    for root in roots:
        for file in sorted(root.rglob("*_pb2.py")):
            name = ".".join(file.relative_to(root.parent).with_suffix("").parts)
            found += importlib.import_module(name).DESCRIPTOR.services_by_name.values()
    return found


def test_every_method_of_the_contract_names_a_role() -> None:
    methods = [method for service in _services() for method in service.methods]
    option = access_pb2.required_role
    unmarked = [m.full_name for m in methods if not m.GetOptions().Extensions[option]]
    assert unmarked == []
    assert len(methods) > 60


def test_key_resolution_is_for_services_only() -> None:
    roles = method_roles([service.full_name for service in _services()])
    resolve = "/touchpoint.applications.v1.ApiKeysService/ResolveApiKey"
    assert roles[resolve] == access_pb2.ROLE_SERVICE
