"""WeChat's message envelope: AES-256-CBC over random, length, text and the receiver's id.

Source: WeChat "Message encryption and decryption".
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

_PAD_BLOCK = 32  # bytes; wider than the cipher's own 16
_RANDOM_BYTES = 16
_LENGTH_BYTES = 4
_AES_BLOCK = 16


class EnvelopeError(ValueError):
    """What was received is not an envelope for this receiver; the message says why."""


class Envelope:
    """Seals and opens texts with one account's EncodingAESKey (43 characters) and tail id."""

    def __init__(self, encoding_aes_key: str, tail_id: str) -> None:
        self._key = base64.b64decode(encoding_aes_key + "=")
        self._tail = tail_id.encode()

    def seal(self, text: bytes, random: bytes) -> str:
        """Return the base64 `Encrypt` field; `random` is 16 bytes."""
        content = random + len(text).to_bytes(_LENGTH_BYTES, "big") + text + self._tail
        pad = _PAD_BLOCK - len(content) % _PAD_BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(content + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def open(self, encrypt: str) -> bytes:
        """Return the text in an `Encrypt` field.

        Raises:
            EnvelopeError: base64, length, padding or tail id is wrong.
        """
        try:
            sealed = base64.b64decode(encrypt, validate=True)
        except ValueError as error:
            raise EnvelopeError("Encrypt is not base64") from error
        if not sealed or len(sealed) % _AES_BLOCK:
            raise EnvelopeError("the ciphertext is no whole number of blocks")
        decryptor = self._cipher().decryptor()
        content = decryptor.update(sealed) + decryptor.finalize()
        pad = content[-1]
        if not 1 <= pad <= _PAD_BLOCK or content[-pad:] != bytes([pad]) * pad:
            raise EnvelopeError("wrong padding")
        content = content[_RANDOM_BYTES:-pad]
        size = int.from_bytes(content[:_LENGTH_BYTES], "big")
        text, tail = content[_LENGTH_BYTES:][:size], content[_LENGTH_BYTES:][size:]
        if len(text) != size:
            raise EnvelopeError("the length field passes the end")
        if tail != self._tail:
            raise EnvelopeError("the tail id is another account's")
        return text

    def _cipher(self) -> Cipher[CBC]:
        return Cipher(AES(self._key), CBC(self._key[:_AES_BLOCK]))
