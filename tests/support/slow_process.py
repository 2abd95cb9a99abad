"""A process of the chassis with methods that wait, fail and crash, for tests of the chassis."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from touchpoint.templates.v1 import templates_service_pb2 as pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from libs.chassis.config import Settings
from libs.chassis.run import Parts, run
from libs.chassis.server import Service
from libs.errors import QuotaExceeded, RateLimited

NAME = "touchpoint.templates.v1.TemplatesService"


class Servicer(rpc.TemplatesServiceServicer):
    """What happens depends on the template's name."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.leave = asyncio.Event()

    async def GetTemplate(self, request: pb.GetTemplateRequest, _: Any) -> Any:  # noqa: N802
        if request.template_name == "crash":
            raise ValueError("the password is hunter2")
        if request.template_name == "rate":
            raise RateLimited("20 SMS a second", 0.5)
        if request.template_name == "quota":
            raise QuotaExceeded("templates", 3)
        if request.template_name == "wait":
            self.entered.set()
            await self.leave.wait()
        if request.template_name == "second":
            await asyncio.sleep(1)
        return pb.GetTemplateResponse()


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    register = rpc.add_TemplatesServiceServicer_to_server
    return Parts(services=[Service(NAME, register, Servicer())])  # type: ignore[abstract]


if __name__ == "__main__":
    run(Settings, setup, "slow")
