"""What a line or a person says of a number -> its one normal form, and the keys two numbers meet by.

Both ends need the same answer, or a caller known at head office is a stranger at the branch; and public
libraries stop at what Chinese exchanges send: local numbers without an area, service numbers, extensions.

    9, 17909 0138 0013 8000 转 8001
    |  |     ||             |
    |  |     |+- mobile     +- extension: split off, kept apart
    |  |     +- 0 before a mobile: dropped
    |  +- carrier prefix: dropped when what follows is a number by itself
    +- access digit of a switchboard: dropped likewise
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers

HOME = "86"
LONGEST_SAID = 64  # characters looked at; E.164 has 15 digits

_WITHHELD = {"", "P", "O", "PRIVATE", "ANONYMOUS", "WITHHELD", "UNAVAILABLE", "UNKNOWN", "OUT OF AREA"}
_EXTENSION = re.compile(r"(?<=\d)\W*(?:转|轉|分机号?|分機號?|内线|EXT(?:ENSION|N)?|X|#)\W*(\d{1,8})\W*$")
_ACCESS = re.compile(r"^\s*([09])\s*[,，、;WP-]\s*(?=[\d+(])")
_CARRIER = re.compile(r"^(?:179\d\d|1180[0-9]|12593|10193|10131)(?=\d{7,})")
_MOBILE = re.compile(r"^0?(1[3-9]\d{9})$")
_AREA = re.compile(r"^0?(10|2\d|[3-9]\d\d)$")
_FIXED = re.compile(r"^0(10|2\d|[3-9]\d\d)([2-8]\d{6,7})$")
_LOCAL = re.compile(r"^[2-8]\d{6,7}$")
_SHARED = re.compile(r"^[48]00\d{7}$")  # paid by both sides, or by the called one
_SHORT = re.compile(r"^(?:1[12]\d|1[12]\d{3}|100\d\d|100\d{4,5}|1010\d{4}|106\d{5,17}|9[56]\d{3,6})$")
_AREA_AND_SHORT = re.compile(r"^0(?:10|2\d|[3-9]\d\d)((?:1[12]\d{3}|1[12]\d|9[56]\d{3,6}|100\d\d))$")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is kept. `normal` is E.164 (+86...) or, for service numbers, its plain digits."""

    said: str
    kind: str  # mobile | fixed | service | foreign | extension | withheld | unknown
    normal: str = ""  # empty: withheld, nothing readable, or a local number whose area nobody told
    local: str = ""  # of a fixed line: its 7 or 8 digits without the area
    extension: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """What to look it up by, surest first; empty when it can belong to nobody in particular."""
        if self.kind in {"withheld", "extension"}:
            return ()
        return tuple(key for key in (self.normal, self.local and f"local:{self.local}") if key)

    @property
    def shown(self) -> str:
        """For people: 138 0013 8000, 0871-6512 3456 转8001; as said when it could not be read."""
        digits = _grouped(self)
        return f"{digits} 转{self.extension}" if self.extension and digits else digits or self.said


def read_number(said: str, area: str = "", access: str = "") -> Number:
    """Read `said`; `area` is the branch's own area code (0871 or 871), `access` its switchboard's digit.

    Nothing is refused: what is no number has kind `unknown` and, if it has digits, meets its equal by them.
    """
    text = unicodedata.normalize("NFKC", said[:LONGEST_SAID]).upper().strip()
    if text in _WITHHELD:
        return Number(said, "withheld")
    if plain := _ACCESS.match(text):
        text = text[plain.end() :]
    extension = ""
    if split := _EXTENSION.search(text):
        text, extension = text[: split.start()], split[1]
    digits = "".join(one for one in text if one in "0123456789")
    if not digits or re.search(r"[^\W\d_]", text):
        return Number(said, "unknown", extension=extension)
    international = text.lstrip("( ").startswith("+")
    return _classify(said, digits, international, extension, _plain_area(area), access)


def same_line(one: Number, other: Number) -> str:
    """Whether two numbers are one: `sure`, `likely` (an area or an extension is not known), or nothing."""
    if not one.keys or not other.keys:
        return ""
    if one.normal and other.normal:
        if one.normal != other.normal:
            return ""
        if one.extension == other.extension:
            return "sure"
        return "" if one.extension and other.extension else "likely"
    return "likely" if one.local and one.local == other.local else ""


def plain_number(asked: str) -> str:
    """`asked`, or, when it is a whole number of this country in any dress, its digits as they are indexed."""
    number = read_number(asked)
    return indexed_digits(number) if number.kind in ("mobile", "fixed") and number.normal else asked


def indexed_digits(number: Number) -> str:
    """The digits people search by: 138..., 0871..., without a country code."""
    if number.normal.startswith("+86"):
        return ("0" if number.kind == "fixed" else "") + number.normal[3:]
    return number.normal.lstrip("+") or number.local


def _plain_area(area: str) -> str:
    match = _AREA.match(area.strip())
    return match[1] if match else ""


def _classify(said: str, digits: str, international: bool, extension: str, area: str, access: str) -> Number:
    for candidate in _readings(digits, international, access):
        if kept := _read(said, candidate, extension, area):
            return kept
    if foreign := _foreign(said, digits, international, extension):
        return foreign
    kind = "extension" if len(digits) <= 6 and not international else "unknown"
    return Number(said, kind, digits, extension=extension)


def _readings(digits: str, international: bool, access: str) -> list[str]:
    """The national forms `digits` may stand for, likeliest first."""
    if international:
        return [_national(digits[len(HOME) :])] if digits.startswith(HOME) else []
    if not digits:
        return []
    found = [digits]
    for prefix in (f"00{HOME}", HOME):
        if digits.startswith(prefix) and len(digits) - len(prefix) in (10, 11):
            found.append(_national(digits[len(prefix) :]))
    if bare := _CARRIER.match(digits):
        found.append(digits[bare.end() :])
    if digits[0] == access:
        return _readings(digits[1:], False, "") + found
    if digits[0] == "9" and len(digits) >= 9:
        found += _readings(digits[1:], False, "")
    return found


def _national(digits: str) -> str:
    """After the country code the 0 of the area is left out; put it back."""
    return (
        digits if digits.startswith("0") or _MOBILE.match(digits) or _SHARED.match(digits) else f"0{digits}"
    )


def _read(said: str, digits: str, extension: str, area: str) -> Number | None:
    """`digits` as a number of the home country, or None when its plan has no such number."""
    if match := _MOBILE.match(digits):
        return Number(said, "mobile", f"+{HOME}{match[1]}", extension=extension)
    if _SHARED.match(digits) or _SHORT.match(digits):
        return Number(said, "service", digits, extension=extension)
    if match := _AREA_AND_SHORT.match(digits):
        return Number(said, "service", match[1], extension=extension)
    if match := _FIXED.match(digits):
        return Number(said, "fixed", f"+{HOME}{match[1]}{match[2]}", match[2], extension)
    if _LOCAL.match(digits):
        return Number(said, "fixed", f"+{HOME}{area}{digits}" if area else "", digits, extension)
    return _without_zero(said, digits, extension)


def _without_zero(said: str, digits: str, extension: str) -> Number | None:
    """An area code that lost its 0 on the way, if the numbering plan knows it."""
    match = _FIXED.match(f"0{digits}")
    if match is None or len(digits) < 10:
        return None
    parsed = phonenumbers.parse(f"+{HOME}{digits}")
    if not phonenumbers.is_valid_number(parsed):
        return None
    return Number(said, "fixed", f"+{HOME}{digits}", match[2], extension)


def _foreign(said: str, digits: str, international: bool, extension: str) -> Number | None:
    """A number of another country; possible is enough: new ranges appear before the library has them."""
    if not international:
        if not digits.startswith("00"):
            return None
        digits = digits[2:]
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return Number(said, "foreign", f"+{parsed.country_code}{parsed.national_number}", extension=extension)


def _grouped(number: Number) -> str:
    digits = number.normal
    if number.kind == "mobile":
        return f"{digits[3:6]} {digits[6:10]} {digits[10:]}"
    if number.kind == "fixed":
        area = digits[1 + len(HOME) : len(digits) - len(number.local)] if digits else ""
        local = f"{number.local[:-4]} {number.local[-4:]}"
        return f"0{area}-{local}" if area else local
    if number.kind == "service" and _SHARED.match(digits):
        return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
    return digits
