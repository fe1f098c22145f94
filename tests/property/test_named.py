"""Ids as people write them: what is kept is found under its own name, so that reading an id never loses anybody."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.keys import node_in
from stream.domain.accounts import document
from stream.named import meant
from stream.regions import REGIONS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KINDS = st.sampled_from(["user", "crm", "anon", "email", "phone", "lead", "wechat_unionid", "wechat_openid", "Email"]) | TEXT
ADDRESSES = st.builds("{}@{}".format, TEXT, TEXT)
NUMBERS = st.builds("{}{}".format, st.sampled_from(["+49", "+39 0", "+54 9 ", "+1", "030 "]), st.integers(0, 10**11))
VALUES = TEXT | ADDRESSES | NUMBERS | st.integers(-(2**63), 2**64 - 1) | st.floats()
A_REGION = st.sampled_from([None, "DE", "IT", "AR", "US"])


@given(KINDS, TEXT, VALUES, A_REGION, A_REGION)
def test_an_id_that_is_kept_is_read_as_itself_in_any_region(
    kind: str, scope: str, told: object, region: str | None, asked: str | None
) -> None:
    kept = node_in({"user_id": "user", "crm_lead_id": "crm", "mobile": "phone"}.get(kind, kind), scope.strip(), told, region)
    if kept is not None:
        assert meant(kept, asked) == kept


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_a_telephone_number_that_is_kept_is_read_as_itself(region: str) -> None:
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            kept = node_in("phone", "", phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL), region)
            assert kept is None or meant(kept, "DE") == kept


@given(st.sampled_from(["account::", "account:name:"]), TEXT)
def test_an_account_that_is_kept_is_read_as_itself(kind: str, name: str) -> None:
    kept = f"{kind}{name.lower()}"
    if document.ACCOUNT_ID.fullmatch(kept) is not None:
        assert document.named(kept) == kept
