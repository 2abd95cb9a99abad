"""`python -m examples.shop.why APPLICATION ENDPOINT`: what an endpoint got, and why not more."""

import argparse
import asyncio
import sys

from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from deploy.local.environment import inherited
from examples.shop.checks import told
from examples.shop.platform import connected


async def main(app_id: str, endpoint_id: str) -> int:
    """Print a line for each message of the ledger; 1 when there is none."""
    async with connected(inherited()) as platform:
        answer = await platform.messaging.ListMessages(
            pb.ListMessagesRequest(application_id=app_id, endpoint_id=endpoint_id),
            metadata=platform.key,
        )
    for row in answer.messages:
        print(
            f"{row.update_time.ToJsonString()}  {row.address}  {told(row)}  {row.detail}".rstrip()
        )
    if not answer.messages:
        print(f"{endpoint_id} was never meant: no campaign's segment had it.")
    return 0 if answer.messages else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("application")
    parser.add_argument("endpoint")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.application, arguments.endpoint)))
