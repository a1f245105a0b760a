"""Requests to an MLflow tracking server, over MLflow's own authenticated transport.

MLflow's client decides who we are (its environment variables, credentials file, certificates,
plug-ins); its search methods are not used, because they add filters that old servers read
wrongly. Answers are the server's JSON. Retries and waiting are bounded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from auditreg.errors import SourceError, without_password

API = "/api/2.0/mlflow"
API_V3 = "/api/3.0/mlflow"
JOURNAL = "/api/2.0/auditreg/journal"
STATE = "The registry was not changed, and nothing was recorded."


class NotThere(SourceError):
    """The server knows no such thing (RESOURCE_DOES_NOT_EXIST)."""


class NotAllowed(SourceError):
    """The server does not answer this to this user (HTTP 401 or 403)."""


class Refused(SourceError):
    """The server understood the request and does not accept it.

    `bad_value` is True where it objects to a value (an id no run can have), and False where it
    does not know the request at all (an old server, a feature that is off, another program).
    """

    def __init__(self, what: str, *, state: str, hint: str, bad_value: bool) -> None:
        super().__init__(what, state=state, hint=hint)
        self.bad_value = bad_value


class Server:
    """One tracking server.

    Args:
        uri: its http or https address, maybe with user and password.
        timeout: seconds to wait for one answer.
        retries: how often a request that failed for the moment is tried again.
        limit: the largest answer in bytes.
    """

    def __init__(
        self, uri: str, *, timeout: float = 60, retries: int = 2, limit: int = 512 * 1024 * 1024
    ) -> None:
        self.uri = uri.rstrip("/")
        self.location = without_password(self.uri)
        self._timeout = _setting("MLFLOW_HTTP_REQUEST_TIMEOUT", timeout)
        self._retries = int(_setting("MLFLOW_HTTP_REQUEST_MAX_RETRIES", retries))
        self._limit = limit

    def version(self) -> str | None:
        """The MLflow version the server says it is, if it does."""
        try:
            text = self._request("GET", "/version", {}, None).strip()
        except (NotThere, Refused):
            return None
        return text if re.fullmatch(r"[0-9][0-9A-Za-z.+-]{0,40}", text) else None

    def get(
        self, path: str, query: Mapping[str, Any], workspace: str | None = None
    ) -> dict[str, Any]:
        """A GET request's JSON object. `path` starts with a slash and follows `API`.

        Raises:
            NotThere: the server has no such thing.
            Refused: the server does not accept the request.
            SourceError: everything else: unreachable, not allowed, broken.
        """
        return self._object(self._request("GET", API + path, query, workspace))

    def get_v3(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """As `get`, under the newer prefix `API_V3`.

        Raises:
            NotThere: the server knows no such path: a web page in front of it answers.
        """
        text = self._request("GET", API_V3 + path, query, None)
        if text.lstrip()[:1] == "<":
            raise NotThere(f"{self.location} has no {path}.", state=STATE, hint="")
        return self._object(text)

    def post(
        self, path: str, body: Mapping[str, Any], workspace: str | None = None
    ) -> dict[str, Any]:
        """A POST request's JSON object (MLflow searches runs that way). Raises as `get`."""
        return self._object(self._request("POST", API + path, body, workspace))

    def pages(
        self, path: str, query: Mapping[str, Any], items: str, workspace: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Everything a paged GET search lists. Raises as `get`."""
        yield from self._pages(self.get, path, query, items, workspace)

    def post_pages(
        self, path: str, body: Mapping[str, Any], items: str, workspace: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Everything a paged POST search lists. Raises as `get`."""
        yield from self._pages(self.post, path, body, items, workspace)

    def journal(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """What auditreg-capture answers, where it is installed in the server.

        Raises:
            NotAllowed: this user may not read it.
            NotThere, Refused: the server has no capture, or one that does not answer.
            SourceError: everything else.
        """
        text = self._request("GET", JOURNAL, query, None)
        if text.lstrip()[:1] == "<":
            # A web page in front of the server answers every path it does not know.
            raise NotThere(f"{self.location} has no journal.", state=STATE, hint="")
        return self._object(text)

    def workspaces(self) -> tuple[str | None, ...]:
        """The workspaces the server shows us; one None where it has none of them."""
        try:
            about = json.loads(self._request("GET", "/api/3.0/mlflow/server-info", {}, None))
        except (NotThere, Refused, ValueError):
            # An older server knows no such path, or answers it with its web page.
            return (None,)
        if not isinstance(about, dict) or not about.get("workspaces_enabled"):
            return (None,)
        listed = self._object(self._request("GET", "/api/3.0/mlflow/workspaces", {}, None))
        names = (str(workspace.get("name")) for workspace in listed.get("workspaces", []))
        return tuple(sorted(names)) or (None,)

    def _pages(
        self,
        call: Any,
        path: str,
        query: Mapping[str, Any],
        items: str,
        workspace: str | None,
    ) -> Iterator[dict[str, Any]]:
        token, seen = "", set()
        while True:
            page = {**query, "page_token": token} if token else query
            answer = call(path, page, workspace)
            listed = answer.get(items, [])
            if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
                raise self._not_mlflow(f"{path} answers without a list of {items}")
            yield from listed
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                raise self._not_mlflow(f"{path} lists the same page again and again")
            seen.add(token)

    def _request(
        self, method: str, path: str, content: Mapping[str, Any], workspace: str | None
    ) -> str:
        from mlflow.exceptions import MlflowException
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace is not None else {}
        try:
            response = http_request(
                get_default_host_creds(self.uri),
                path,
                method,
                max_retries=self._retries,
                backoff_factor=1,
                backoff_jitter=0,
                timeout=self._timeout,
                raise_on_status=False,
                respect_retry_after_header=False,
                extra_headers=headers,
                stream=True,
                **{"params" if method == "GET" else "json": dict(content)},
            )
            with response:
                text = self._text(response)
        except MlflowException as error:
            raise self._unreachable(str(error)) from error
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors
            raise self._unreachable(str(error)) from error
        self._judge(response.status_code, path, text)
        return text

    def _text(self, response: Any) -> str:
        parts, size = [], 0
        for part in response.iter_content(1 << 20):
            size += len(part)
            if size > self._limit:
                raise ValueError(f"an answer was larger than {self._limit} bytes")
            parts.append(part)
        return b"".join(parts).decode("utf-8")

    def _judge(self, status: int, path: str, text: str) -> None:
        if status == 200:
            return
        code, message = "", text
        try:
            answer = json.loads(text)
            code, message = str(answer["error_code"]), str(answer.get("message", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        brief = without_password(" ".join(message.split()))[:200]
        answered = f"{self.location} answered {path} with HTTP {status}"
        what = f"{answered}: {brief}." if code else f"{answered}."
        if code == "RESOURCE_DOES_NOT_EXIST":
            raise NotThere(what, state=STATE, hint="It may have been deleted: try again.")
        if status in (401, 403):
            who = "not without logging in" if status == 401 else "not to this user"
            raise NotAllowed(
                f"{self.location} answers {path} {who} (HTTP {status}).",
                state=STATE,
                hint="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "MLFLOW_TRACKING_TOKEN, of an account that may read every registered model.",
            )
        bad_value = code in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
        if (
            bad_value
            or code in ("FEATURE_DISABLED", "ENDPOINT_NOT_FOUND")
            or (status in (404, 405, 501))
        ):
            raise Refused(
                what,
                state=STATE,
                hint="Check that this is the address of an MLflow tracking server, with its path "
                "prefix (MLFLOW_TRACKING_URI).",
                bad_value=bad_value,
            )
        raise SourceError(
            what,
            state=STATE,
            hint="Look at the server's log; when it is well again, run the same command.",
        )

    def _object(self, text: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise self._not_mlflow("it does not answer with MLflow's JSON")
        return answer

    def _not_mlflow(self, reason: str) -> SourceError:
        return SourceError(
            f"{self.location} is not an MLflow tracking server this tool understands: {reason}.",
            state=STATE,
            hint="Give the address MLflow clients use (MLFLOW_TRACKING_URI), with its path prefix.",
        )

    def _unreachable(self, reason: str) -> SourceError:
        brief = without_password(" ".join(reason.split()))
        lowered = brief.lower()
        if "certificate" in lowered or "ssl" in lowered:
            why = "its TLS certificate is not accepted"
            hint = "Set MLFLOW_TRACKING_SERVER_CERT_PATH to the file of your CA."
        elif "refused" in lowered:
            why, hint = "the connection was refused", "Start the server, or check the port."
        elif "name or service" in lowered or "resolve" in lowered or "nodename" in lowered:
            why, hint = "its name is not known", "Check the host's name."
        elif "timed out" in lowered or "timeout" in lowered:
            why = f"no answer within {self._timeout:g} s"
            hint = "Try again, or set MLFLOW_HTTP_REQUEST_TIMEOUT to more seconds."
        else:
            why, hint = brief[:300], "Check the address and the network."
        host = urlsplit(self.uri).hostname or ""
        proxy = " A proxy is configured." if _proxied(host) else ""
        return SourceError(
            f"The tracking server {self.location} could not be read: {why}.{proxy}",
            state=STATE,
            hint=hint,
        )


def _setting(name: str, default: float) -> float:
    """MLflow's own environment setting where the user gave one, else our smaller default."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise SourceError(
            f"{name} is {text!r}, which is not a number.",
            state="Nothing was read or changed.",
            hint=f"Correct or unset {name}.",
        ) from None


def _proxied(host: str) -> bool:
    from urllib.request import getproxies, proxy_bypass

    return bool(getproxies()) and not proxy_bypass(host)
