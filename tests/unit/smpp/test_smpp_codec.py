"""The SMPP codec: round trips, streaming, refusals, and agreement with smpplib."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts, smpp
from smpplib.client import SimpleSequenceGenerator

from libs.smpp import pdu as units
from libs.smpp.codec import HEADER, Decoder, decode, encode
from libs.smpp.codes import CommandId, CommandStatus, MessageState, Tag
from libs.smpp.fields import PduError
from libs.smpp.pdu import Invalid, Pdu

octet = st.integers(0, 255)
sequence = st.integers(1, 0x7FFFFFFF)
status = st.sampled_from(CommandStatus).map(int)


def text(limit: int) -> st.SearchStrategy[str]:
    letters = st.characters(min_codepoint=1, max_codepoint=255)
    return st.text(letters, max_size=limit)


tlvs = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=300), max_size=4)


def message(kind: type[units.ShortMessage]) -> st.SearchStrategy[Pdu]:
    return st.builds(
        kind, sequence, status, text(20), text(20), st.binary(max_size=254), octet, octet, octet,
        octet, octet, octet, octet, text(5), octet, octet, text(16), text(16), octet, octet, tlvs,
    )  # fmt: skip


def bind(kind: type[units.Bind]) -> st.SearchStrategy[Pdu]:
    return st.builds(
        kind, sequence, status, text(15), text(8), text(12), octet, octet, octet, text(40)
    )


pdus: st.SearchStrategy[Pdu] = st.one_of(
    message(units.SubmitSm),
    message(units.DeliverSm),
    *(bind(k) for k in (units.BindReceiver, units.BindTransmitter, units.BindTransceiver)),
    *(
        st.builds(k, sequence, status, text(15), tlvs)
        for k in (units.BindReceiverResp, units.BindTransmitterResp, units.BindTransceiverResp)
    ),
    st.builds(units.SubmitSmResp, sequence, status, text(64)),
    st.builds(units.DeliverSmResp, sequence, status, text(64)),
    *(
        st.builds(k, sequence, status)
        for k in (
            units.EnquireLink,
            units.EnquireLinkResp,
            units.Unbind,
            units.UnbindResp,
            units.GenericNack,
        )
    ),
)


@given(pdus)
def test_what_is_encoded_decodes_to_the_same_value(pdu: Pdu) -> None:
    assert decode(encode(pdu)) == pdu


@given(st.lists(pdus, max_size=6), st.data())
def test_a_stream_cut_anywhere_gives_the_same_units(
    units_in: list[Pdu], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, units_in))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    decoder = Decoder()
    found: list[Pdu] = []
    for start, end in pairwise([0, *cuts, len(stream)]):
        found += decoder.feed(stream[start:end])
    assert found == units_in


@given(st.binary(max_size=400))
def test_garbage_never_raises(noise: bytes) -> None:
    for unit in Decoder(max_size=500).feed(noise):
        assert isinstance(unit, Pdu)


@given(pdus, st.data())
def test_a_truncated_body_is_invalid_or_readable_but_keeps_the_frame(
    pdu: Pdu, data: st.DataObject
) -> None:
    whole = encode(pdu)
    size = data.draw(st.integers(16, len(whole)))
    cut = size.to_bytes(4, "big") + whole[4:size]
    follower = units.EnquireLink(77)
    first, second = Decoder().feed(cut + encode(follower))
    assert first.sequence == pdu.sequence
    assert second == follower


def test_an_impossible_length_ends_the_stream() -> None:
    decoder = Decoder(max_size=1000)
    bad = HEADER.pack(1001, CommandId.SUBMIT_SM, 0, 9)
    good, broken = decoder.feed(encode(units.EnquireLink(1)) + bad)
    assert good == units.EnquireLink(1)
    assert isinstance(broken, Invalid)
    assert (broken.is_fatal, broken.status, broken.sequence) == (
        True,
        CommandStatus.ESME_RINVCMDLEN,
        9,
    )
    assert decoder.feed(encode(units.EnquireLink(2))) == []


@pytest.mark.parametrize("length", [0, 15])
def test_a_length_below_the_header_is_fatal(length: int) -> None:
    (broken,) = Decoder().feed(HEADER.pack(length, CommandId.UNBIND, 0, 3))
    assert isinstance(broken, Invalid)
    assert broken.is_fatal


def test_an_unknown_command_is_named() -> None:
    unit = decode(HEADER.pack(16, 0x103, 0, 5))
    assert unit == Invalid(5, CommandStatus.ESME_RINVCMDID, 0x103)


@pytest.mark.parametrize(
    ("pdu", "reason"),
    [
        (units.SubmitSm(source_addr="1" * 21), CommandStatus.ESME_RINVSRCADR),
        (units.SubmitSm(destination_addr="1" * 21), CommandStatus.ESME_RINVDSTADR),
        (units.SubmitSm(short_message=b"x" * 255), CommandStatus.ESME_RINVMSGLEN),
        (units.SubmitSm(source_addr="a\0b"), CommandStatus.ESME_RINVSRCADR),
        (units.SubmitSm(destination_addr="€"), CommandStatus.ESME_RINVDSTADR),
        (units.BindTransceiver(password="123456789"), CommandStatus.ESME_RINVPASWD),
        (units.BindReceiver(system_id="x" * 16), CommandStatus.ESME_RINVSYSID),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(pdu: Pdu, reason: CommandStatus) -> None:
    with pytest.raises(PduError) as caught:
        encode(pdu)
    assert caught.value.status is reason


def test_an_address_too_long_on_the_wire_is_refused_by_name() -> None:
    good = encode(units.SubmitSm(4, destination_addr="49170"))
    bad = good.replace(b"49170\0", b"49170" + b"0" * 16 + b"\0")
    bad = len(bad).to_bytes(4, "big") + bad[4:]
    assert decode(bad) == Invalid(4, CommandStatus.ESME_RINVDSTADR, CommandId.SUBMIT_SM)


def test_an_error_response_may_come_without_a_body() -> None:
    raw = HEADER.pack(16, CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RTHROTTLED, 8)
    assert decode(raw) == units.SubmitSmResp(8, CommandStatus.ESME_RTHROTTLED, "")


def test_a_receipt_s_parameters_have_names() -> None:
    receipt = units.DeliverSm(
        esm_class=0x04,
        tlvs={
            Tag.RECEIPTED_MESSAGE_ID: b"abc\0",
            Tag.MESSAGE_STATE: b"\x02",
            Tag.USER_MESSAGE_REFERENCE: b"\x01\x02",
            Tag.MESSAGE_PAYLOAD: b"long",
        },
    )
    assert receipt.is_receipt
    assert receipt.receipted_message_id == "abc"
    assert receipt.message_state == MessageState.DELIVERED
    assert receipt.user_message_reference == 0x0102
    assert receipt.payload == b"long"


# smpplib is an independent reading of the standard; its writer packs a zero integer as one NUL
# whatever its size, and leaves out empty strings' limits, so the values stay in the common part.

ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=15)


@given(
    source=ascii_text,
    destination=ascii_text,
    body=st.binary(max_size=254),
    coding=octet,
    esm=octet,
    registered=octet,
    reference=st.integers(1, 0xFFFF),
)
@pytest.mark.parametrize("command", ["submit_sm", "deliver_sm"])
def test_smpplib_reads_our_messages_and_we_read_its(  # noqa: PLR0917
    command: str,
    source: str,
    destination: str,
    body: bytes,
    coding: int,
    esm: int,
    registered: int,
    reference: int,
) -> None:
    kind = units.SubmitSm if command == "submit_sm" else units.DeliverSm
    ours = kind(
        sequence=7,
        source_addr=source,
        destination_addr=destination,
        short_message=body,
        data_coding=coding,
        esm_class=esm,
        registered_delivery=registered,
        source_addr_ton=1,
        dest_addr_npi=1,
        tlvs={Tag.USER_MESSAGE_REFERENCE: reference.to_bytes(2, "big")},
    )
    theirs = smpp.make_pdu(
        command,
        client=SimpleSequenceGenerator(),
        sequence=1,
        source_addr=source,
        destination_addr=destination,
        short_message=body,
        data_coding=coding,
        esm_class=esm,
        registered_delivery=registered,
        source_addr_ton=1,
        dest_addr_npi=1,
        user_message_reference=reference,
    )
    theirs.sequence = 7
    assert decode(theirs.generate()) == ours
    read = smpp.parse_pdu(
        encode(ours), client=SimpleSequenceGenerator(), allow_unknown_opt_params=True
    )
    assert (read.command, read.sequence) == (command, 7)
    assert (read.source_addr or b"").decode() == source
    assert (read.destination_addr or b"").decode() == destination
    assert (read.short_message or b"") == body
    assert (read.data_coding, read.esm_class) == (coding, esm)
    assert read.user_message_reference == reference


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("bind_transceiver", units.BindTransceiver),
        ("bind_transmitter", units.BindTransmitter),
        ("bind_receiver", units.BindReceiver),
    ],
)
def test_smpplib_binds_are_read(command: str, kind: type[units.Bind]) -> None:
    theirs = smpp.make_pdu(
        command,
        client=SimpleSequenceGenerator(),
        sequence=1,
        system_id="me",
        password="secret",
        system_type="x",
        interface_version=consts.SMPP_VERSION_34,
    )
    theirs.sequence = 3
    expected = kind(3, 0, "me", "secret", "x", 0x34, 0, 0, "")
    assert decode(theirs.generate()) == expected
    assert encode(expected) == theirs.generate()


def test_the_statuses_are_those_of_smpplib() -> None:
    named = {n: v for n, v in vars(consts).items() if n.startswith("SMPP_ESME_")}
    ours = {f"SMPP_{s.name}": s.value for s in CommandStatus}
    shared = named.keys() & ours.keys()
    assert len(shared) > 40
    assert {n: named[n] for n in shared} == {n: ours[n] for n in shared}
