"""Regions of telephone numbers: what phonenumbers knows, written down, for to import it is a tenth of a command's start."""

from typing import Final

_KNOWN: Final = """
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CC CD CF
    CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG
    GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW
    KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF
    NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM
    SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK
    YE YT ZA ZM ZW
"""
REGIONS: Final = frozenset(_KNOWN.split())
_MEANT: Final = {"UK": "GB", "EN": "GB", "EL": "GR"}


def region(text: str) -> str:
    """Return the region; raises ValueError, with the one that was meant, where there is none of that name."""
    if text in REGIONS:
        return text
    capitals = text.strip().upper()
    meant = _MEANT.get(capitals, capitals)
    raise ValueError(
        f"that is no region: did you mean {meant}?"
        if meant in REGIONS
        else "that is no region: give the two capitals of ISO 3166, like DE or GB"
    )
