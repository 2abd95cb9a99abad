"""The role each method needs, read from the protos of the services a process registers."""

from collections.abc import Iterable, Mapping

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from touchpoint.common.v1 import access_pb2


def method_roles(service_names: Iterable[str]) -> Mapping[str, int]:
    """Full method name (`/package.Service/Method`) to the least role; our services only."""
    roles: dict[str, int] = {}
    for service in _ours(service_names):
        for method in service.methods:
            role = method.GetOptions().Extensions[access_pb2.required_role]
            # An unmarked method is for services only, never open by oversight.
            roles[f"/{service.full_name}/{method.name}"] = role or access_pb2.ROLE_SERVICE
    return roles


def publishable_methods(service_names: Iterable[str]) -> frozenset[str]:
    """Full names of the methods that a publishable key may call too."""
    return frozenset(
        f"/{service.full_name}/{method.name}"
        for service in _ours(service_names)
        for method in service.methods
        if method.GetOptions().Extensions[access_pb2.publishable]
    )


def streaming_methods(service_names: Iterable[str]) -> frozenset[str]:
    """Full names of methods that stream in either direction."""
    return frozenset(
        f"/{service.full_name}/{method.name}"
        for service in _ours(service_names)
        for method in service.methods
        if method.server_streaming or method.client_streaming
    )


def _ours(service_names: Iterable[str]) -> list[ServiceDescriptor]:
    pool = descriptor_pool.Default()
    return [pool.FindServiceByName(n) for n in service_names if n.startswith("touchpoint.")]
