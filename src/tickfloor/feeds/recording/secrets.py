"""What a recording must not hold: passwords and keys in URLs, and in what we send."""

import re
from typing import Final

HIDDEN: Final = "***"

_NAMES: Final = (
    r"(?:[\w.-]*(?:password|passphrase|secret|signature|token|credential)[\w.-]*"
    r"|(?:x-)?(?:\w+[_-])?api[_-]?key|access[_-]?key|listen[_-]?key|key|jwt|auth|authorization|sign|sig)"
)
_USER = re.compile(r"(://)[^/?#\s]*@")
_QUERY = re.compile(rf"((?:[?&;]|^){_NAMES}=)[^&;#\s]+", re.IGNORECASE)
_MEMBER = re.compile(rf'("{_NAMES}"\s*:\s*)(?:"(?:[^"\\]|\\.)*"|[^\s,}}\]]+)'.encode(), re.IGNORECASE)


def url_without_secrets(url: str) -> str:
    """Return a URL, or the path and query of one, without user, password, keys and signatures."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", url))


def message_without_secrets(payload: bytes) -> bytes:
    """Return a JSON message of ours without tokens, keys and signatures."""
    return _MEMBER.sub(rb'\1"' + HIDDEN.encode() + b'"', payload)


def without_secrets(kind: str, ref: str, payload: bytes) -> tuple[str, bytes]:
    """Return a line's ref and payload as they may be written; a server's frames and bodies are left as they are."""
    if kind == "F":
        return ref, payload
    if kind == "H":
        return url_without_secrets(ref), payload
    if kind == "C":
        return ref, url_without_secrets(payload.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    return ref, message_without_secrets(payload)
