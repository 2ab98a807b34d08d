"""Salesforce record ids: key prefixes, 15-character ids, and the 18-character form with its checksum."""

from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "5f0"

# The published standard prefixes: https://help.salesforce.com/s/articleView?id=000385203
KEY_PREFIXES = {
    "Account": "001", "Contact": "003", "User": "005", "Opportunity": "006", "OpportunityLineItem": "00k",
    "Lead": "00Q", "Task": "00T", "Event": "00U", "PricebookEntry": "01u", "Pricebook2": "01s", "Product2": "01t",
    "Asset": "02i", "Attachment": "00P", "Case": "500", "Campaign": "701", "CampaignMember": "00v",
    "Contract": "800", "Order": "801", "OrderItem": "802", "Organization": "00D",
}  # fmt: skip


@lru_cache(maxsize=4096)
def _checksum(chunk: str) -> str:
    return _CHECKSUM[sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")]


def with_checksum(record_id: str) -> str:
    """The 18-character form of a 15-character id; any other length is returned as it is."""
    if len(record_id) != 15:
        return record_id
    return record_id + _checksum(record_id[:5]) + _checksum(record_id[5:10]) + _checksum(record_id[10:])


def is_valid(record_id: str) -> bool:
    """Whether this is a 15-character id or an 18-character one whose checksum is right."""
    if len(record_id) not in (15, 18) or not record_id.isalnum() or not record_id.isascii():
        return False
    return len(record_id) == 15 or with_checksum(record_id[:15]) == record_id


def make_id(key_prefix: str, number: int) -> str:
    """The 18-character id of an object's `number`-th record."""
    return with_checksum(key_prefix + _POD + base62(number, 9))


def base62(number: int, width: int) -> str:
    """`number` in base 62, padded with zeros to `width` characters."""
    letters = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        letters.append(_DIGITS[digit])
    return "".join(reversed(letters))
