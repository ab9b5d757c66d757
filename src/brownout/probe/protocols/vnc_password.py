"""VNC authentication: DES over a challenge, with the password as the key."""

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

__all__ = ["respond"]

LENGTH = 8
"""Characters of a password that count."""


def respond(challenge: bytes, password: str) -> bytes:
    """The answer to a challenge of 16 bytes (RFC 6143, 7.2.2)."""
    padded = password.encode("latin-1", "replace")[:LENGTH].ljust(LENGTH, b"\0")
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in padded)  # VNC counts the bits of a key from the other end
    # The same key three times makes triple DES a single one, and any two halves are encrypted on their own.
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305 - the protocol says so
    return encryptor.update(challenge) + encryptor.finalize()
