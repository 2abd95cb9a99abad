"""Ask a deployable whether it serves: gRPC health, or GET /healthz where it speaks HTTP only."""

import http.client
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2

ASK_SECONDS = 1.0


def is_serving(listens: Mapping[str, str]) -> bool:
    """Say whether the process behind these addresses takes work.

    A process with neither a gRPC nor an HTTP address counts as serving once it runs: there is
    nothing to ask.
    """
    if "GRPC_LISTEN" in listens:
        return grpc_is_serving(listens["GRPC_LISTEN"])
    if "HTTP_LISTEN" in listens:
        return http_is_serving(listens["HTTP_LISTEN"])
    return True


def grpc_is_serving(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=ASK_SECONDS)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def http_is_serving(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
