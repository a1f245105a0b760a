"""Requests to an MLflow tracking server, over MLflow's own authenticated transport.

MLflow's client decides who we are (its environment variables, credentials file, certificates,
plug-ins); its search methods are not used, because they add filters that old servers read
wrongly. Answers are the server's JSON. Retries and waiting are bounded.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from email.utils import parsedate_to_datetime
from typing import Any

from auditreg.errors import SourceError, redact_uri
from auditreg.sources.server import failures
from auditreg.sources.server.strict_json import Malformed, decode

API = "/api/2.0/mlflow"
API_V3 = "/api/3.0/mlflow"
JOURNAL = "/api/2.0/auditreg/journal"
STATE = "The registry was not changed, and nothing was recorded."

PATIENCE = 120.0
"""Seconds a request may be tried again and waited for altogether."""
_LONGEST_WAIT = 60.0
_SMALLEST_PAGE = 100
_MAX_EMPTY = 1_000
_MOMENTARY = frozenset({408, 429, 500, 502, 503, 504})


class NotThere(SourceError):
    """The server knows no such thing (RESOURCE_DOES_NOT_EXIST)."""


class NotAllowed(SourceError):
    """The server does not answer this to this user; `status` is 401 or 403."""

    def __init__(self, what: str, *, state: str, hint: str, status: int) -> None:
        super().__init__(what, state=state, hint=hint)
        self.status = status


class Refused(SourceError):
    """The server understood the request and does not accept it.

    `bad_value` is True where it objects to a value (an id no run can have), and False where it
    does not know the request at all (an old server, a feature that is off, another program).
    """

    def __init__(self, what: str, *, state: str, hint: str, bad_value: bool) -> None:
        super().__init__(what, state=state, hint=hint)
        self.bad_value = bad_value


class NotMlflow(SourceError):
    """An answer no MLflow gives: a web page, broken JSON, lists that do not end."""


class TooSlow(SourceError):
    """No answer came in time; a smaller request may get one."""


class _Passing(Exception):
    """The connection failed in a way that may pass."""


class Server:
    """One tracking server. Its methods may be called from several threads.

    Args:
        uri: its http or https address, maybe with user and password.
        timeout: seconds to wait for one answer, and between two parts of it.
        retries: how often a request that failed for the moment is tried again.
        limit: the largest answer in bytes.
    """

    def __init__(
        self,
        uri: str,
        *,
        timeout: float = 60,
        retries: int = 3,
        limit: int = 512 * 1024 * 1024,
    ) -> None:
        self.uri = uri.rstrip("/")
        self.location = redact_uri(self.uri)
        self._timeout = _setting("MLFLOW_HTTP_REQUEST_TIMEOUT", timeout)
        self._retries = int(_setting("MLFLOW_HTTP_REQUEST_MAX_RETRIES", retries))
        self._factor = _setting("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", 1)
        respects = os.environ.get("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "true")
        self._respects_retry_after = respects.lower() in ("true", "1")
        self._limit = limit
        self._not_before = 0.0
        self._lock = threading.Lock()
        self.requests = 0

    def version(self) -> str | None:
        """The MLflow version the server says it is, if it does: no answer is an error."""
        try:
            raw = self._request("GET", "/version", {}, None)
        except SourceError:
            return None
        text = raw[:200].decode("utf-8", "replace").strip()
        return text if re.fullmatch(r"[0-9][0-9A-Za-z.+-]{0,40}", text) else None

    def get(
        self, path: str, query: Mapping[str, Any], workspace: str | None = None, api: str = API
    ) -> dict[str, Any]:
        """A GET request's JSON object. `path` starts with a slash and follows `api`.

        Raises:
            NotThere: the server has no such thing.
            NotAllowed: this user may not ask.
            Refused: the server does not accept the request.
            TooSlow: no answer in time.
            SourceError: everything else: unreachable, broken.
        """
        return self._object(self._request("GET", api + path, query, workspace))

    def get_if_known(
        self, path: str, query: Mapping[str, Any], api: str = API_V3
    ) -> dict[str, Any]:
        """As `get`, for what not every server knows.

        Raises:
            NotThere: also where a web page answers, as one in front of a server does for every path
                that it does not know.
        """
        raw = self._request("GET", api + path, query, None)
        if raw.lstrip()[:1] == b"<":
            raise NotThere(f"{self.location} has no {api}{path}.", state=STATE, hint="")
        return self._object(raw)

    def post(
        self, path: str, body: Mapping[str, Any], workspace: str | None = None
    ) -> dict[str, Any]:
        """A POST request's JSON object (MLflow searches runs that way). Raises as `get`."""
        return self._object(self._request("POST", API + path, body, workspace))

    def pages(
        self,
        path: str,
        query: Mapping[str, Any],
        items: str,
        workspace: str | None = None,
        *,
        post: bool = False,
        ahead: Executor | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """The pages of a search, in the server's order. Raises as `get`.

        A page that the server does not manage in time is asked for again in a tenth of its size.

        Args:
            path: as `get`.
            query: what to ask; `max_results` is the size of a page.
            items: the field of an answer that lists them.
            workspace: where to ask.
            post: whether it is a POST request.
            ahead: fetches the next page while this one is worked on. The caller must not itself
                run in it.
        """
        call = self.post if post else self.get

        def fetch(token: str, size: int) -> tuple[list[dict[str, Any]], str, int]:
            more = {"page_token": token} if token else {}
            while True:
                try:
                    answer = call(path, {**query, "max_results": size, **more}, workspace)
                except TooSlow:
                    if size <= _SMALLEST_PAGE:
                        raise
                    size = max(_SMALLEST_PAGE, size // 10)
                    continue
                return *self._page(path, answer, items), size

        seen: set[str] = set()
        empty = 0
        listed, token, size = fetch("", int(query["max_results"]))
        while True:
            empty = 0 if listed else empty + 1
            if token in seen or empty > _MAX_EMPTY:
                raise self._not_mlflow(f"{path} lists the same page again and again")
            seen.add(token)
            if not token:
                yield listed
                return
            if ahead is None:
                yield listed
                listed, token, size = fetch(token, size)
            else:
                coming = ahead.submit(fetch, token, size)
                yield listed
                listed, token, size = coming.result()

    def _page(
        self, path: str, answer: dict[str, Any], items: str
    ) -> tuple[list[dict[str, Any]], str]:
        """What an answer lists, and the token of the next page."""
        return self.listed(path, answer, items), str(answer.get("next_page_token") or "")

    def listed(self, path: str, answer: Mapping[str, Any], items: str) -> list[dict[str, Any]]:
        """The objects that an answer lists under a name; none where the name is missing or null.

        Raises:
            NotMlflow: something else stands there.
        """
        listed = answer.get(items) or []
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise self._not_mlflow(f"{path} answers without a list of {items}")
        return listed

    def journal(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """What auditreg-capture answers, where it is installed in the server.

        Raises:
            NotAllowed: this user may not read it.
            NotThere, Refused: the server has no capture, or one that does not answer.
            SourceError: everything else.
        """
        return self.get_if_known("", query, api=JOURNAL)

    def workspaces(self) -> tuple[str | None, ...]:
        """The workspaces the server shows us; one None where it has none of them."""
        try:
            about = self.get_if_known("/server-info", {})
        except (NotThere, Refused, NotMlflow):
            return (None,)  # an older server
        if not about.get("workspaces_enabled"):
            return (None,)
        workspaces = self.listed(
            "/workspaces", self.get("/workspaces", {}, api=API_V3), "workspaces"
        )
        return tuple(sorted(str(workspace.get("name")) for workspace in workspaces))

    def _request(
        self, method: str, path: str, content: Mapping[str, Any], workspace: str | None
    ) -> bytes:
        """The body of a good answer; what fails for the moment is tried again.

        `PATIENCE` bounds the waiting, each answer has its own time.
        """
        waited = 0.0
        for attempt in range(self._retries + 1):
            self._wait_for_turn()
            failed: _Passing | None = None
            status, retry_after, raw = 0, None, b""
            try:
                status, retry_after, raw = self._once(method, path, content, workspace)
            except _Passing as error:
                failed = error
            wait = self._backoff(attempt) if retry_after is None else retry_after
            waited += wait
            patient = attempt < self._retries and wait <= _LONGEST_WAIT and waited <= PATIENCE
            if (failed or status in _MOMENTARY) and patient:
                with self._lock:
                    # What one request is told holds for those of the other threads, too.
                    self._not_before = max(self._not_before, time.monotonic() + (retry_after or 0))
                time.sleep(wait)
            elif failed:
                raise self._unreachable(str(failed)) from failed
            elif status == 429:
                raise self._too_many(path, retry_after)
            else:
                self._judge(status, path, raw)
                return raw
        raise AssertionError("the last attempt ends in an answer or an error")

    def _too_many(self, path: str, seconds: float | None) -> SourceError:
        when = f" for {seconds:.0f} s" if seconds else ""
        return SourceError(
            f"{self.location} answered {path} with HTTP 429: it wants no more requests{when}.",
            state=STATE,
            hint="Run the same command later or with fewer `--threads`, or have the limit raised.",
        )

    def _backoff(self, attempt: int) -> float:
        # Requests that failed together are not to come back together.
        return min(_LONGEST_WAIT, self._factor * 2.0**attempt) * random.uniform(0.75, 1)  # noqa: S311

    def _wait_for_turn(self) -> None:
        """Wait until the server wants requests again."""
        with self._lock:
            self.requests += 1
            wait = self._not_before - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    def _once(
        self, method: str, path: str, content: Mapping[str, Any], workspace: str | None
    ) -> tuple[int, float | None, bytes]:
        """Status, the seconds the server wants us to wait, and body of one answer."""
        from mlflow.exceptions import MlflowException
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace is not None else {}
        try:
            response = http_request(
                get_default_host_creds(self.uri),
                path,
                method,
                max_retries=0,
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
                raw = self._body(response)
        except (MlflowException, OSError, ValueError) as error:  # requests' own are OSErrors
            brief = str(error)
            if failures.timed_out(error):
                slow = self._unreachable(brief)
                raise TooSlow(slow.what, state=slow.state, hint=slow.hint) from error
            if isinstance(error, ValueError) or "certificate" in brief.lower():
                raise self._unreachable(brief) from error
            raise _Passing(brief) from error
        retry_after = response.headers.get("Retry-After") if self._respects_retry_after else None
        return response.status_code, _seconds(retry_after), raw

    def _body(self, response: Any) -> bytes:
        parts, size = [], 0
        # A server that drips keeps within the time between two parts; the whole has a time, too.
        deadline = time.monotonic() + 10 * self._timeout
        for part in response.iter_content(1 << 20):
            size += len(part)
            if size > self._limit:
                raise ValueError(f"an answer was larger than {self._limit} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"timed out: an answer took over {10 * self._timeout:g} s")
            parts.append(part)
        return b"".join(parts)

    def _judge(self, status: int, path: str, raw: bytes) -> None:
        if status == 200:
            return
        code, message = "", ""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = decode(raw)
            code, message = str(answer["error_code"]), str(answer.get("message", ""))
        brief = redact_uri(" ".join(message.split()))[:200]
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
                status=status,
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
        error = TooSlow if status in (408, 504) else SourceError
        raise error(
            what,
            state=STATE,
            hint="Look at the server's log; when it is well again, run the same command.",
        )

    def _object(self, raw: bytes) -> dict[str, Any]:
        try:
            answer = decode(raw)
        except Malformed as error:
            raise self._not_mlflow(str(error)) from None
        if not isinstance(answer, dict):
            raise self._not_mlflow("it does not answer with MLflow's JSON")
        return answer

    def _not_mlflow(self, reason: str) -> NotMlflow:
        return NotMlflow(
            f"{self.location} is not an MLflow tracking server this tool understands: {reason}.",
            state=STATE,
            hint="Give the address MLflow clients use (MLFLOW_TRACKING_URI), with its path prefix.",
        )

    def _unreachable(self, reason: str) -> SourceError:
        brief = redact_uri(" ".join(reason.split()))
        why, hint = failures.explain(brief, self._timeout)
        proxy = failures.proxy_note(self.uri)
        return SourceError(
            f"The tracking server {self.location} could not be read: {why}.{proxy}",
            state=STATE,
            hint=hint,
        )


def _seconds(retry_after: str | None) -> float | None:
    """What a `Retry-After` header says, in seconds from now: a number, or a date."""
    if not retry_after:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(retry_after))
    with contextlib.suppress(ValueError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return None


def _setting(name: str, default: float) -> float:
    """MLflow's own environment setting where the user gave one, else our smaller default."""
    text = os.environ.get(name, "")
    with contextlib.suppress(ValueError):
        number = float(text) if text else default
        if 0 <= number < math.inf:
            return number
    raise SourceError(
        f"{name} is {text!r}, which is not a number from 0 on.",
        state="Nothing was read or changed.",
        hint=f"Correct or unset {name}.",
    )
