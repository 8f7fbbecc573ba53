"""WeChat's message encryption: AES-256-CBC around (random, length, message, app id).

Source: WeChat "Message encryption" and the platform's sample SDKs. Check `msg_signature` before
you decrypt: then only who holds the token can reach the padding check. Who holds the token, but
not the key, must not learn from it: all that is checked inside is checked before the first fault
is told, and an answer must not say which it was (`services.ingest.domain.refusals`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import struct
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import SecretStr

_KEY_CHARS: Final = 43
_PAD_BLOCK: Final = 32  # PKCS#7 over 32-byte blocks, twice AES's own: WeChat's choice
_CIPHER_BLOCK: Final = 16
_BASE64_GROUP: Final = 4
_RANDOM_BYTES: Final = 16
_HEAD_BYTES: Final = _RANDOM_BYTES + 4
_PADS: Final = tuple(bytes([size]) * size for size in range(_PAD_BLOCK + 1))
_LENGTH: Final = struct.Struct(">I")


class CipherFault(StrEnum):
    """Why a ciphertext was refused."""

    BASE64 = "cipher_base64"
    LENGTH = "cipher_length"
    PADDING = "cipher_padding"
    FRAME = "cipher_frame"
    APP_ID = "cipher_app_id"


class CipherError(ValueError):
    """A ciphertext isn't one that WeChat made for this account; `fault` says in what way."""

    def __init__(self, fault: CipherFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class MessageCipher:
    """Encrypts and decrypts the messages of one account, in one thread.

    Args:
        encoding_aes_key: the 43 characters from the account's console (EncodingAESKey).
        app_id: the id expected in every message's tail, and written into ours.
    """

    __slots__ = ("_app_id", "_cipher", "_decryptor", "_iv")

    def __init__(self, encoding_aes_key: SecretStr, app_id: str) -> None:
        encoded = encoding_aes_key.get_secret_value()
        if len(encoded) != _KEY_CHARS:
            raise ValueError(f"an EncodingAESKey has {_KEY_CHARS} characters, not {len(encoded)}")
        try:
            key = base64.b64decode(encoded + "=")
            algorithm = algorithms.AES256(key)
        except ValueError as error:
            raise ValueError("the EncodingAESKey is not base64 of 32 bytes") from error
        self._iv = key[:_CIPHER_BLOCK]
        self._cipher = Cipher(algorithm, modes.CBC(self._iv))
        self._decryptor = self._cipher.decryptor()
        self._app_id = app_id.encode()

    def decrypt(self, encrypted: str | bytes) -> bytes:
        """Return the message inside an `Encrypt` field.

        Raises:
            CipherError: it's malformed, or made for another app id.
        """
        if len(encrypted) % _BASE64_GROUP:  # Python before 3.13 takes some of these
            raise CipherError(CipherFault.BASE64)
        try:
            sealed = binascii.a2b_base64(encrypted, strict_mode=True)
        except ValueError as error:
            raise CipherError(CipherFault.BASE64) from error
        if not sealed or len(sealed) % _CIPHER_BLOCK:
            raise CipherError(CipherFault.LENGTH)
        # CBC's state is the last block it saw: the IV as a block begins the next message, at a
        # fifth of what a new decryptor costs.
        opened = self._decryptor.update(self._iv + sealed)[_CIPHER_BLOCK:]
        pad = opened[-1]
        end = len(opened) - pad
        message_end = _HEAD_BYTES + int.from_bytes(opened[_RANDOM_BYTES:_HEAD_BYTES], "big")
        padded = 1 <= pad <= _PAD_BLOCK and opened.endswith(_PADS[pad])
        ours = hmac.compare_digest(opened[message_end:end], self._app_id)
        if not padded:
            raise CipherError(CipherFault.PADDING)
        if not _HEAD_BYTES <= message_end <= end:
            raise CipherError(CipherFault.FRAME)
        if not ours:
            raise CipherError(CipherFault.APP_ID)
        return opened[_HEAD_BYTES:message_end]

    def encrypt(self, message: bytes, *, random: bytes | None = None) -> str:
        """Return the `Encrypt` field for a message.

        Args:
            message: UTF-8 bytes, as a reply's XML.
            random: 16 bytes that make equal messages look different; drawn if not given.
        """
        salt = os.urandom(_RANDOM_BYTES) if random is None else random
        if len(salt) != _RANDOM_BYTES:
            raise ValueError(f"the random head has {_RANDOM_BYTES} bytes, not {len(salt)}")
        framed = b"".join((salt, _LENGTH.pack(len(message)), message, self._app_id))
        framed += _PADS[_PAD_BLOCK - len(framed) % _PAD_BLOCK]
        encryptor = self._cipher.encryptor()
        return base64.b64encode(encryptor.update(framed) + encryptor.finalize()).decode()
