"""What is left of a private value for people who may not see it: one shape per kind of value, as data.

Both ends mask alike, so that a number looks the same at the branch and at head office. Stars are always as
many as the shape says: the length of what they stand for is private too.

    number    138****8000 · 0871-******56 · 95588 (a service is nobody's secret) · ******
    name      王** · 欧阳** · J**           company   云南华信******公司
    address   云南省昆明市五华区****        email     z***@example.com
    identity  530*************1X           account   ****5678
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from sync.phone import Number, read_number

STARS = "****"
_DOUBLE_NAMES = tuple(re.findall("..", "欧阳上官司马诸葛东方皇甫尉迟公孙慕容令狐司徒长孙夏侯端木"))
_DISTRICT = re.compile(
    r"(?:.{1,12}?(?:省|自治区))?"
    r"(?:.{1,10}?(?:市|自治州|州|盟|地区))?"
    r"(?:.{1,10}?(?:区|县|旗|市))?"
)
_BEFORE, _AFTER = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_IDENTITY = re.compile(rf"{_BEFORE}[1-9][0-9]{{16}}[0-9Xx]{_AFTER}")
_ACCOUNT = re.compile(rf"{_BEFORE}[0-9]{{12,19}}{_AFTER}")
_MOBILE = r"(?:\+?86[ -]?)?1[3-9](?:[ -]?[0-9]){9}"
_FIXED = r"0[0-9]{2,3}[ -]?[0-9]{3,4}[ -]?[0-9]{4}"
_PHONE = re.compile(rf"{_BEFORE}(?:{_MOBILE}|{_FIXED})(?![0-9])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def mask_number(said: str) -> str:
    """A telephone number: mobile first 3 and last 4, land line its area and last 2 (CDR-47)."""
    return _masked(read_number(said))


def _masked(number: Number) -> str:
    if number.kind == "mobile":
        digits = number.normal[3:]
        return f"{digits[:3]}{STARS}{digits[-4:]}"
    if number.kind == "fixed":
        area = number.normal[3 : len(number.normal) - len(number.local)] if number.normal else ""
        last = f"******{number.local[-2:]}"
        return f"0{area}-{last}" if area else last
    if number.kind == "service":
        return number.normal
    return "" if number.kind == "withheld" else "******"


def mask_name(name: str) -> str:
    """A person's name: the surname, or a first letter, and stars."""
    plain = name.strip()
    if not plain:
        return ""
    return f"{plain[:2] if plain.startswith(_DOUBLE_NAMES) and len(plain) > 2 else plain[0]}**"


def mask_company(name: str) -> str:
    """A company's name: the first 4 and the last 2 characters; of a short one the first only."""
    plain = name.strip()
    if len(plain) > 8:
        return f"{plain[:4]}******{plain[-2:]}"
    return f"{plain[0]}******" if plain else ""


def mask_address(address: str) -> str:
    """An address down to its district."""
    plain = address.strip()
    if not plain:
        return ""
    found = _DISTRICT.match(plain)
    district = found[0] if found else ""
    return f"{district if len(district) < len(plain) else ''}{STARS}"


def mask_email(address: str) -> str:
    """An e-mail address: its first letter and its domain."""
    name, at, domain = address.strip().rpartition("@")
    return f"{name[:1]}***@{domain}" if at and name else ("***" if domain else "")


def mask_identity(number: str) -> str:
    """An identity number: first 3 and last 2; stars alone of one that is too short to hide anything."""
    plain = number.strip()
    if len(plain) < 15:
        return "*" * 13 if plain else ""
    return f"{plain[:3]}{'*' * 13}{plain[-2:]}"


def mask_account(number: str) -> str:
    """A bank account: the last 4; stars alone of one that is too short to hide anything."""
    plain = "".join(number.split())
    return f"{STARS}{plain[-4:]}" if len(plain) >= 12 else (STARS if plain else "")


def mask_text(text: str) -> str:
    """Free text: what looks like an identity, account or telephone number or an e-mail address is masked."""
    text = "".join(_half_width(one) for one in text)
    text = _IDENTITY.sub(lambda found: mask_identity(found[0]), text)
    text = _ACCOUNT.sub(lambda found: mask_account(found[0]), text)
    text = _PHONE.sub(lambda found: mask_number(found[0]), text)
    return _EMAIL.sub(lambda found: mask_email(found[0]), text)


def _half_width(one: str) -> str:
    # Only digits: full-width punctuation is how Chinese is written.
    return unicodedata.normalize("NFKC", one) if one.isdigit() or one == "\uff0b" else one


MASKS: dict[str, Callable[[str], str]] = {
    "number": mask_number,
    "name": mask_name,
    "company": mask_company,
    "address": mask_address,
    "email": mask_email,
    "identity": mask_identity,
    "account": mask_account,
    "text": mask_text,
}
