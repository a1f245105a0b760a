"""A small OpenID Connect provider: discovery, keys, and tokens for whoever asks.

with provider() as oidc: server.call(..., headers=oidc.bearer("ann@example.com", ["mlflow"]))
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "mlflow"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Provider:
    """A running provider; `issuer` is its address."""

    issuer: str
    key: rsa.RSAPrivateKey

    @property
    def discovery(self) -> str:
        """Where its metadata are."""
        return f"{self.issuer}/.well-known/openid-configuration"

    def token(self, user: str, groups: Sequence[str], **claims: Any) -> str:
        """A signed token for a user."""
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        payload = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": user, "email": user,
            "email_verified": True, "preferred_username": user, "name": user,
            "groups": list(groups), "iat": now, "exp": now + 3600, **claims,
        }  # fmt: skip
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (header, payload))
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_encoded(signature)}"

    def bearer(self, user: str, groups: Sequence[str], **claims: Any) -> dict[str, str]:
        """The header of a request that carries a token."""
        return {"Authorization": f"Bearer {self.token(user, groups, **claims)}"}

    def document(self, path: str) -> dict[str, Any] | None:
        """What is at a path."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        if path == "/keys":
            public = self.key.public_key().public_numbers()
            key = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256"}
            return {"keys": [{**key, "n": _number(public.n), "e": _number(public.e)}]}
        return None


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """A provider on a port of its own, gone afterwards."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = running.document(self.path)
            body = json.dumps(document or {}).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    running = Provider(f"http://127.0.0.1:{listener.server_port}", key)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
