"""A stand-in deployable for the supervisor's tests: serves health where its variables say.

It writes the variables it was given to `<STAND_IN_FOLDER>/<name>.json`. `--mode` makes it end at
once, never become healthy, or leave a child in a session of its own behind.
"""

import argparse
import http.server
import json
import os
import signal
import subprocess
import sys
from concurrent import futures
from pathlib import Path
from threading import Event, Thread

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

MODES = ("good", "ends", "unhealthy", "leaves-child")


class Healthz(http.server.BaseHTTPRequestHandler):
    """Answers GET /healthz, as the links service does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()


def serve_grpc(address: str, *, serving: bool) -> grpc.Server:
    servicer = health.HealthServicer()
    status = health_pb2.HealthCheckResponse
    servicer.set("", status.SERVING if serving else status.NOT_SERVING)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    server.start()
    return server


def serve_http(address: str) -> None:
    host, _, port = address.rpartition(":")
    server = http.server.HTTPServer((host, int(port)), Healthz)
    Thread(target=server.serve_forever, daemon=True).start()


def leave_child() -> None:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    subprocess.Popen(command, start_new_session=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--mode", choices=MODES, default="good")
    arguments = parser.parse_args()
    variables = dict(os.environ)  # noqa: TID251 (what it was given is what the tests look at)
    report = Path(variables["STAND_IN_FOLDER"]) / f"{arguments.name}.json"
    report.write_text(json.dumps(variables))
    if arguments.mode == "ends":
        sys.stderr.write("this stand-in ends at once\n")
        return 3
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if arguments.mode == "leaves-child":
        leave_child()
    if "HTTP_LISTEN" in variables:
        serve_http(variables["HTTP_LISTEN"])
    if "GRPC_LISTEN" in variables:
        server = serve_grpc(variables["GRPC_LISTEN"], serving=arguments.mode != "unhealthy")
        stop.wait()
        server.stop(grace=None)
    stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
