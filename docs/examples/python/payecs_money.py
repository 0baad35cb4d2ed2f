"""Amounts and shares as payecs has them: integers of millisatoshi, shares in millionths of a
percent. No float holds money."""

import argparse
import re
from decimal import Decimal, InvalidOperation

# 100 %, in millionths of a percent.
WHOLE = 100_000_000
# What a letter behind the amount of a BOLT 11 invoice stands for, in tenths of a millisatoshi.
TENTHS = {"": 10**12, "m": 10**9, "u": 10**6, "n": 10**3, "p": 1}


def msat(text):
    """An amount: `N` or `Nmsat`, as Components have it."""
    found = re.fullmatch(r"([0-9]{1,19})(msat)?", str(text))
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}` is no amount in msat")
    return int(found[1])


def micro_percent(text):
    """A share in percent, from 0 to 100 with at most 6 decimals, in millionths of a percent."""
    try:
        found = Decimal(str(text)) * 1_000_000
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found != found.to_integral_value() or not 0 <= found <= WHOLE:
        raise argparse.ArgumentTypeError(f"`{text}` is no share: 0 to 100, at most 6 decimals")
    return int(found)


def share(amount_msat, micro):
    """The share of an amount, rounded down to a whole msat."""
    return amount_msat * micro // WHOLE


def amount_of(bolt11):
    """What an invoice says to be its amount, in msat; None where it says none. The engine checks
    the rest of it."""
    found = re.match(r"ln[a-z]+?([0-9]+)([munp]?)1", bolt11.lower())
    if not found:
        return None
    amount, rest = divmod(int(found[1]) * TENTHS[found[2]], 10)
    return None if rest else amount
