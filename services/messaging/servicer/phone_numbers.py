"""`touchpoint.messaging.v1.PhoneNumbersService`."""

from typing import Any, TypeAlias

import phonenumbers
from grpc import aio
from touchpoint.messaging.v1 import phone_numbers_service_pb2 as pb

from libs.errors import Violations
from services.messaging.domain.phone_numbers import LONGEST, known_of

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class PhoneNumbersServicer:
    """Answers from numbering plans; asks nobody."""

    async def ValidatePhoneNumber(
        self, request: pb.ValidatePhoneNumberRequest, _: Context
    ) -> pb.ValidatePhoneNumberResponse:
        number, country, found = request.phone_number, request.iso_country_code, Violations()
        fine = 0 < len(number) <= LONGEST
        found.check(fine, "phone_number", f"must be 1 to {LONGEST} characters")
        fine = not country or country.upper() in phonenumbers.SUPPORTED_REGIONS
        found.check(fine, "iso_country_code", "must be a country of ISO 3166-1, such as US")
        found.raise_if_any()
        known = known_of(number, country)
        told = pb.PhoneNumber(
            phone_type_code=known.kind,
            phone_type=known.kind.name,
            cleansed_phone_number_e164=known.e164,
            cleansed_phone_number_national=known.national,
            country=known.country,
            country_code_iso2=known.iso2,
            country_code_numeric=known.calling_code,
            city=known.city,
            carrier=known.carrier,
            timezone=known.timezone,
            original_phone_number=number,
            original_country_code_iso2=country,
        )
        return pb.ValidatePhoneNumberResponse(phone_number=told)
