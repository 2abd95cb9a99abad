"""Made-up people and places for the shop's contacts."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Place:
    """A country of customers: where they live, what they are called, how their numbers begin.

    `numbers` is the international prefix and how many digits follow it. The ranges are not
    given out to anybody, and nothing sent by the demo leaves the machine anyway.
    """

    country: str
    timezone: str
    numbers: tuple[str, int]
    cities: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


JAPAN: Final = Place(
    "JP",
    "Asia/Tokyo",
    ("+81900", 7),
    ("Tokyo", "Osaka", "Nagoya", "Sapporo", "Fukuoka", "Kobe", "Kyoto"),
    ("Aiko", "Haruto", "Yui", "Sota", "Hina", "Ren", "Mei", "Kaito", "Sakura", "Daiki", "Emi"),
    ("Tanaka", "Sato", "Suzuki", "Takahashi", "Ito", "Watanabe", "Yamamoto", "Nakamura", "Kato"),
)
GERMANY: Final = Place(
    "DE",
    "Europe/Berlin",
    ("+491599", 7),
    ("Hamburg", "Bremen", "Kiel", "Berlin", "Leipzig", "Köln", "München"),
    ("Lena", "Jonas", "Mia", "Paul", "Zoë", "Jürgen", "Emma", "Felix", "Marie", "Anton", "Käthe"),
    ("Müller", "Schmidt", "Fischer", "Weber", "Becker", "Koch", "Richter", "Groß", "Wolf"),
)
AMERICA: Final = Place(
    "US",
    "America/New_York",
    ("+1555", 7),
    ("Boston", "New York", "Portland", "Baltimore", "Charleston", "Newport", "Savannah"),
    ("Ben", "Olivia", "Noah", "Ava", "Liam", "Chloé", "Lucas", "Grace", "Ethan", "Ruby", "Owen"),
    ("Carter", "Brooks", "Hayes", "Reed", "Foster", "Perry", "Bell", "Ward", "Price"),
)
# How many in a hundred customers live where.
SHARES: Final = ((35, JAPAN), (25, GERMANY), (40, AMERICA))

INTERESTS: Final = ("Sailing", "Fishing", "Books", "Music", "Coffee", "Running", "Maps", "Ceramics")
PLATFORMS: Final = ("iOS", "Android", "Web")
APP_VERSIONS: Final = ("1.4.0", "1.9.2", "2.0", "2.0.1", "2.3.0", "2.10.1", "3.0.0-beta.2")
