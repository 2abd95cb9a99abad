"""Tokens of tracked links: a `LinkToken`, signed for the links service."""

from typing import Final

from touchpoint.messaging.v1 import link_token_pb2 as pb

from libs.signing import Signer
from services.messaging.domain.tracking import Link, Token
from services.messaging.domain.work import Recipient, Work
from services.messaging.usecases.composition import TokenMaker

_KINDS: Final = {
    Link.OPEN: pb.LinkToken(kind=pb.LinkToken.KIND_OPEN).SerializeToString(),
    Link.CLICK: pb.LinkToken(kind=pb.LinkToken.KIND_CLICK).SerializeToString(),
    Link.UNSUBSCRIBE: pb.LinkToken(kind=pb.LinkToken.KIND_UNSUBSCRIBE).SerializeToString(),
}


def token_maker(signing_key: bytes) -> TokenMaker:
    """Makes the function that signs the links of one message.

    Parts of a serialized message that follow each other are one message: what the links of a
    message share is serialized once.
    """
    signer = Signer(signing_key, "links")

    def for_message(work: Work, recipient: Recipient) -> Token:
        shared = _shared(work, recipient)

        def token(link: Link, url: str) -> str:
            own = pb.LinkToken(url=url).SerializeToString() if url else b""
            return signer.sign(_KINDS[link] + shared + own)

        return token

    return for_message


def _shared(work: Work, recipient: Recipient) -> bytes:
    origin = work.origin
    return pb.LinkToken(
        application_id=origin.app_id,
        message_id=recipient.message_id,
        endpoint_id=recipient.endpoint_id,
        campaign_id=origin.campaign_id,
        activity_id=origin.activity_id,
        treatment_id=work.treatment_id,
        address=recipient.address,
    ).SerializeToString()
