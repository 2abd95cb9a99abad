"""Registers the servicer so that streamed members are passed on as the bytes they came as.

StreamAudienceResponse and StreamSegmentMembersResponse have the same fields under the same numbers;
a test holds them to it.
"""

from collections.abc import Sequence
from typing import Any, Final

import grpc
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as rpc

SERVICE: Final = "touchpoint.segmentation.v1.SegmentationService"
UNREAD: Final = "StreamSegmentMembers"


def register(servicer: Any, server: Any) -> None:  # noqa: ANN401 - as the generated function
    """Do what the generated function does, but leave out the serializer of `UNREAD`."""
    registrar: Any = _Registrar(server)
    rpc.add_SegmentationServiceServicer_to_server(servicer, registrar)


class _Registrar:
    """Stands between the generated code and the server."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - as above
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Take nothing: the same handlers come again by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: "dict[str, grpc.RpcMethodHandler[Any, Any]]"
    ) -> None:
        known: Any = handlers[UNREAD]
        unread: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(
            known.unary_stream, request_deserializer=known.request_deserializer
        )
        handlers = {**handlers, UNREAD: unread}
        generic = grpc.method_handlers_generic_handler(service, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self._server.add_registered_method_handlers(service, handlers)
