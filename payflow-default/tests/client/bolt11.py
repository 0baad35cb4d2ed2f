"""Invoices of BOLT 11, written and signed here, so that no code of ours says what is right."""

import hashlib

FIELD = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
# Payment secret and variable onion are wanted, several parts are taken (bits 14, 8, 17).
FEATURES = 1 << 14 | 1 << 8 | 1 << 17


def add(one, other):
    """The sum of two points of secp256k1."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % FIELD == 0:
            return None
        slope = 3 * one[0] ** 2 * pow(2 * one[1], -1, FIELD)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, FIELD)
    x = (slope * slope - one[0] - other[0]) % FIELD
    return x, (slope * (one[0] - x) - one[1]) % FIELD


def times(number, point=BASE):
    found = None
    while number:
        if number & 1:
            found = add(found, point)
        point, number = add(point, point), number >> 1
    return found


def public(key):
    """The node id of a key: 33 bytes in hex."""
    x, y = times(key)
    return f"{2 + (y & 1):02x}{x:064x}"


def sign(key, digest):
    """Signature and recovery id, 65 bytes. The nonce follows from key and digest."""
    nonce = int.from_bytes(hashlib.sha256(key.to_bytes(32, "big") + digest).digest(), "big")
    point = times(nonce % ORDER)
    r, message = point[0] % ORDER, int.from_bytes(digest, "big")
    s = pow(nonce, -1, ORDER) * (message + r * key) % ORDER
    odd = point[1] & 1
    if s > ORDER // 2:
        s, odd = ORDER - s, odd ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([odd])


def groups(data):
    """Bytes as groups of five bits."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[at:at + 5], 2) for at in range(0, len(bits), 5)]


def number(value, count=0):
    """A number as groups of five bits, at least so many."""
    found = []
    while value or len(found) < count:
        found.insert(0, value & 31)
        value >>= 5
    return found


def checksum(prefix, data):
    def polymod(values):
        check = 1
        for value in values:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
            for at, generator in enumerate(
                    (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> at & 1 else 0
        return check
    wide = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    left = polymod(wide + data + [0] * 6) ^ 1
    return [left >> 5 * (5 - at) & 31 for at in range(6)]


def invoice(key, created_at, preimage, **other):
    """An invoice: `amount` as its prefix says it, such as `200n`, `expiry` in s, `network`."""
    payment_hash = hashlib.sha256(preimage).digest()
    secret = other.get("secret", hashlib.sha256(b"secret" + preimage).digest())
    fields = [("p", groups(payment_hash)), ("s", groups(secret)),
              ("d", groups(other.get("description", "by hand").encode())),
              ("x", number(other.get("expiry", 3600))), ("9", number(FEATURES))]
    prefix = f"ln{other.get('network', 'bcrt')}{other.get('amount', '')}"
    data = number(created_at, 7)
    for tag, value in fields:
        data += [LETTERS.index(tag), *number(len(value), 2), *value]
    bits = "".join(f"{one:05b}" for one in data)
    bits += "0" * (-len(bits) % 8)
    signed = prefix.encode() + int(bits, 2).to_bytes(len(bits) // 8, "big")
    data += groups(sign(key, hashlib.sha256(signed).digest()))
    return prefix + "1" + "".join(LETTERS[one] for one in data + checksum(prefix, data))
