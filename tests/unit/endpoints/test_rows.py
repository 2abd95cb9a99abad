"""Import files: lines over the borders of pieces, CSV and JSON rows as changes."""

import csv
import io
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidFields
from services.endpoints.domain.identity import address_id
from services.endpoints.domain.jobs import Definition, FileUnreadable, check_definition
from services.endpoints.domain.rows import (
    LONGEST_LINE,
    CsvReader,
    header_of,
    read_json,
    split_lines,
)


def lines_of(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    pieces = [data[a:b] for a, b in pairwise(borders)] or [b""]
    found: list[bytes] = []
    carry = b""
    for number, piece in enumerate(pieces):
        lines, carry = split_lines(carry, piece, last=number == len(pieces) - 1)
        found += lines
    assert carry == b""
    return found


@settings(deadline=None)  # the machine may be busy
@given(rows=st.lists(st.text().filter(lambda t: "\n" not in t)), cuts=st.lists(st.integers(0, 500)))
def test_lines_do_not_depend_on_where_a_file_is_cut(rows: list[str], cuts: list[int]) -> None:
    data = "".join(f"{row}\n" for row in rows).encode()
    assert lines_of(data, cuts) == [row.encode() for row in rows]
    assert lines_of(data + b"last", cuts) == [*(row.encode() for row in rows), b"last"]


def test_a_line_without_end_is_no_file() -> None:
    with pytest.raises(FileUnreadable):
        split_lines(b"x" * LONGEST_LINE, b"y", last=False)


CELL = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@settings(deadline=None)  # the machine may be busy
@given(
    interests=st.lists(CELL, min_size=3, max_size=3), name=CELL, cuts=st.lists(st.integers(0, 300))
)
def test_csv_rows_are_read_back_as_written(
    interests: list[str], name: str, cuts: list[int]
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["Id", *["Attributes.Interests"] * 3, "User.UserAttributes.Name"])
    writer.writerow(["e", *interests, name])
    header, row = (line.decode() for line in lines_of(buffer.getvalue().encode(), cuts))
    change = CsvReader(header)(row)
    assert change.attributes == {"Interests": tuple(interests)}
    assert change.user_attributes == {"Name": (name,)}


def test_every_header_finds_its_field() -> None:
    cells = {
        "Id": "E-1",
        "Address": "+1",
        "ChannelType": "SMS",
        "OptOut": "ALL",
        "EffectiveDate": "2020-01-01T00:00:00Z",
        "RequestId": "r",
        "Attributes.a.b": "x",
        "Metrics.m": "-1.5e3",
        "User.UserId": "u",
        "User.UserAttributes.t": "y",
        **{f"Location.{n}": n for n in ("City", "Country", "PostalCode", "Region")},
        "Location.Latitude": "1.5",
        "Location.Longitude": "-2",
        "Demographic.AppVersion": "2.0",
        "Demographic.PlatformVersion": "14",
        "Demographic.Timezone": "Europe/Berlin",
    }
    change = CsvReader(",".join(cells))(",".join(cells.values()))
    assert (change.endpoint_id, change.channel_type, change.address) == ("E-1", "SMS", "+1")
    assert change.opted_out is True
    assert change.effective_date is None
    assert change.attributes == {"a.b": ("x",)}
    assert change.metrics == {"m": -1500.0}
    assert (change.user_id, change.user_attributes) == ("u", {"t": ("y",)})
    assert change.place == {
        "city": "City",
        "country": "Country",
        "postal_code": "PostalCode",
        "region": "Region",
    }
    assert change.coordinates == {"latitude": 1.5, "longitude": -2.0}
    assert change.demographic == {
        "app_version": "2.0",
        "platform_version": "14",
        "timezone": "Europe/Berlin",
    }


def test_an_empty_cell_changes_nothing() -> None:
    change = CsvReader("Id,Address,Attributes.a,OptOut,User.UserId")("e,,,,")
    assert (change.address, change.opted_out, change.user_id) == (None, None, None)
    assert change.attributes == {}


def test_an_address_without_an_id_has_one_of_its_own() -> None:
    reader = CsvReader("ChannelType,Address")
    assert reader("SMS,+1").endpoint_id == reader("SMS,+1").endpoint_id == address_id("SMS", "+1")
    assert reader("GCM,t").endpoint_id == reader("APNS,t").endpoint_id
    assert reader("EMAIL,+1").endpoint_id != reader("SMS,+1").endpoint_id


@pytest.mark.parametrize(
    ("header", "row", "fields"),
    [
        ("Id,Metrics.m,Location.Latitude", "e,much,x", {"Metrics.m", "Location.Latitude"}),
        ("ChannelType,OptOut", "FAX,MAYBE", {"ChannelType", "OptOut", "Id"}),
        ("Id,Address", "e", {"row"}),
        ("Id,Address", 'e,"a', {"row"}),
        ("Address", "a", {"Id"}),
    ],
)
def test_a_bad_row_names_every_fault(header: str, row: str, fields: set[str]) -> None:
    with pytest.raises(InvalidFields) as caught:
        CsvReader(header)(row)
    assert {v.field for v in caught.value.violations} == fields


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"Id": "e", "Attributes": {"a": [1]}}, {"Attributes.a"}),
        ({"Id": "e", "Metrics": {"m": True, "n": "1"}}, {"Metrics.m", "Metrics.n"}),
        ({"Id": 5, "Shoe": 1}, {"Id", "Shoe"}),
        ({"Id": "e", "Location": {"Planet": "Mars"}}, {"Location.Planet"}),
        ({"Id": "e", "User": "u"}, {"User"}),
        ([], {"row"}),
    ],
)
def test_a_bad_json_row_names_every_fault(row: Any, fields: set[str]) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_json(json.dumps(row))
    assert fields <= {v.field for v in caught.value.violations}


def test_a_json_row_is_read_as_the_api_nests_it() -> None:
    row = {
        "Id": "e",
        "Attributes": {"a": ["x", "y"], "none": None},
        "Metrics": {"m": 2},
        "User": {"UserId": "u", "UserAttributes": {"t": ["z"]}},
        "Location": {"Latitude": 1, "City": "Bonn"},
        "EndpointStatus": "INACTIVE",
        "CohortId": "4",
    }
    change = read_json(json.dumps(row))
    assert change.attributes == {"a": ("x", "y")}
    assert change.metrics == {"m": 2.0}
    assert (change.user_id, change.user_attributes) == ("u", {"t": ("z",)})
    assert (change.coordinates, change.place) == ({"latitude": 1.0}, {"city": "Bonn"})
    assert change.inactive is None


def test_headers_that_are_not_known_end_the_job() -> None:
    with pytest.raises(FileUnreadable) as caught:
        CsvReader("Id,Shoe,Attributes.,EffectiveDate")
    assert "Shoe, Attributes." in caught.value.message
    assert "EffectiveDate" not in caught.value.message


def test_fields_are_told_by_their_headers() -> None:
    assert header_of("user.user_attributes[a.b]") == "User.UserAttributes.a.b"
    assert header_of("demographic.timezone") == "Demographic.Timezone"
    assert header_of("endpoint_id") == "Id"


def test_a_definition_names_every_fault() -> None:
    with pytest.raises(InvalidFields) as caught:
        check_definition(Definition("app", "XML", register_endpoints=False, define_segment=False))
    assert {v.field for v in caught.value.violations} == {
        "definition.format",
        "definition.register_endpoints",
    }
    with pytest.raises(InvalidFields) as unnamed:
        check_definition(Definition("app", "CSV", register_endpoints=True, define_segment=True))
    assert {v.field for v in unnamed.value.violations} == {"definition.segment_name"}
