#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Tells a URL of the user's how first boot went.

The form is that of cloud-init's phone_home.  Neither the URL nor an answer
is told to anybody else: not even the name of a host may stand in a reason.
"""

from dataclasses import dataclass
from dataclasses import field
import http.client
import re
import socket
import threading
import time
from typing import Any
from typing import Callable
from typing import Dict
from typing import List
from typing import Mapping
from typing import Optional
from typing import Sequence
from typing import Tuple
from typing import Union
import urllib.parse

from . import steps
from .running import Run

# Seconds: for one call, and between two, as cloud-init has it.
CALL = 30.0
PAUSE = 3.0
# For a command of the firewall; how often one that closes it is tried.
FIREWALL = 30.0
TRIES = 3

ALWAYS = ('status', 'problems')
"""Fields that are sent whether they are asked for or not."""

_NO_TIME = 'no time was left'
# Of a field that nobody knows, in the words of cloud-init.
_UNKNOWN = 'N/A'
_HOST_KEYS = {f'pub_key_{kind}': f'/etc/ssh/ssh_host_{kind}_key.pub'
              for kind in ('rsa', 'ecdsa', 'ed25519')}

_PORTS = {'http': 80, 'https': 443}
_INSTANCE = re.compile(r'\$(?:\{INSTANCE_ID\}|INSTANCE_ID(?![A-Za-z0-9_]))')
# What is sent as it is; a % is taken as the beginning of a quoted byte.
_SAFE = "!#$%&'()*+,/:;=?@[]~"

# X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH; Python's
# texts of these two name the host.
_OTHER_NAME = (62, 64)

_FIREWALL = ('esxcli', 'network', 'firewall')
_RULESET = 'httpClient'
_RULESET_PORTS = tuple(_PORTS.values())

_Opening = Tuple[steps.Argv, steps.Argv]


class _Unfit(Exception):
    """It cannot be sent at all, and the text says why."""


@dataclass(frozen=True)
class _Call:
    """All that is sent.

    :param tls: an ssl.SSLContext; None: the scheme is http
    """

    host: str = field(repr=False)
    port: int
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tls: Any


def host_keys(read: Callable[[str], Optional[str]]) -> Dict[str, str]:
    """The public keys of the SSH service, as fields.

    :param read: the content of a file, or None if it is not there
    """
    found = {name: read(path) for name, path in _HOST_KEYS.items()}
    return {name: text for name, text in found.items() if text is not None}


def send(report: steps.Report, values: Mapping[str, str], run: Run,
         seconds: float, ca: str) -> Optional[str]:
    """Send a report; None if it was taken, else why not.

    The firewall passes it during each try, and is closed again whatever
    happens.  A redirect is not followed: most turn a POST into a GET, which
    would deliver nothing.

    :param values: of fields, besides those that the report knows
    :param seconds: for all but closing the firewall
    :param ca: a file of certificates to trust besides those that the host
        trusts; it may be missing
    """
    until = time.monotonic() + seconds
    try:
        call = _call(report, values, ca)
    except _Unfit as unfit:
        return str(unfit)
    closing: List[steps.Argv] = []
    why = _tries(call, report.tries, until, run, closing)
    return '; '.join(filter(None, (
        why, 'the firewall was opened for it, and could not be closed'))) \
        if closing else why


def _call(report: steps.Report, values: Mapping[str, str], ca: str
          ) -> _Call:
    """:raises _Unfit: there is no such call"""
    known = {**dict(report.values), **values}
    names = dict.fromkeys((*report.fields, *ALWAYS))
    body = urllib.parse.urlencode(
        [(name, known.get(name, _UNKNOWN)) for name in names],
        errors='replace').encode('ascii')
    parts, port = _split(_INSTANCE.sub(
        lambda _: urllib.parse.quote(known.get('instance_id', _UNKNOWN), ''),
        report.url))
    headers = {'Content-Type': 'application/x-www-form-urlencoded',
               'User-Agent': 'esxi-img', 'Connection': 'close'}
    target = urllib.parse.urlunsplit(
        ('', '', parts.path or '/', parts.query, ''))
    return _Call(parts.hostname or '', port,
                 urllib.parse.quote(target, _SAFE), headers, body,
                 _tls(ca) if parts.scheme == 'https' else None)


def _split(url: str) -> Tuple[urllib.parse.SplitResult, int]:
    """A URL, and its port."""
    try:
        url.encode()
        parts = urllib.parse.urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
        if port and (parts.hostname or '').isascii() and parts.hostname:
            return parts, port
    except ValueError:
        # Its text quotes the URL.
        pass
    raise _Unfit('the URL has no scheme http or https, or no host, or a bad '
                 'port')


def _tls(ca: str) -> Any:
    """How certificates are verified."""
    try:
        import ssl
    except ImportError:
        ssl = None  # type: ignore
    if ssl is None:
        raise _Unfit('the Python of this host has no module ssl, so it '
                     'cannot call https')
    context = ssl.create_default_context()
    why = None
    try:
        context.load_verify_locations(ca)
    except FileNotFoundError:
        pass
    except OSError as error:
        why = error.strerror or type(error).__name__
    if why:
        raise _Unfit(f'{ca}: cannot be used: {why}')
    return context


def _tries(call: _Call, tries: int, until: float, run: Run,
           closing: List[steps.Argv]) -> Optional[str]:
    """Why the last one failed, if it did.

    :param closing: gets the commands for the firewall that failed
    """
    why: Optional[str] = _NO_TIME
    for number in range(tries):
        if number:
            time.sleep(max(0.0, min(PAUSE, until - time.monotonic())))
        if until - time.monotonic() <= 0:
            break
        try:
            _open(run, call.port, closing)
            left = until - time.monotonic()
            why, again = _judged(_bounded(call, min(CALL, left))) \
                if left > 0 else (_NO_TIME, False)
        finally:
            _close(run, closing)
        if not again:
            break
    return why


def _bounded(call: _Call, seconds: float
             ) -> Union[int, Exception, None]:
    """The status of the answer; None: there was none in time.

    A time limit of a socket does not limit the lookup of a name, nor a
    server that sends a byte now and then; so somebody else waits.
    """
    answers: List[Union[int, Exception]] = []

    def post() -> None:
        try:
            answers.append(_post(call, seconds))
        except Exception as error:
            # Whatever it is: threading would print it, and it may quote
            # the URL.
            answers.append(error)

    thread = threading.Thread(target=post, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        return error
    thread.join(seconds)
    return answers[0] if answers else None


def _post(call: _Call, seconds: float) -> int:
    """The status; what else is answered is not read."""
    if call.tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            call.host, call.port, timeout=seconds, context=call.tls)
    else:
        connection = http.client.HTTPConnection(
            call.host, call.port, timeout=seconds)
    try:
        connection.request('POST', call.target, call.body,
                           dict(call.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def _judged(answer: Union[int, Exception, None]
            ) -> Tuple[Optional[str], bool]:
    """Why it failed, if it did, and whether to try again."""
    if answer is None or isinstance(answer, (socket.timeout, TimeoutError)):
        return 'no answer in time', True
    if isinstance(answer, int):
        if 200 <= answer < 300:
            return None, False
        if 300 <= answer < 400:
            return f'answered {answer}, and no redirect is followed', False
        return f'answered {answer}', True
    code = getattr(answer, 'verify_code', None)
    if code is not None:
        return 'certificate not trusted: ' + (
            'it is for another name' if code in _OTHER_NAME
            else str(getattr(answer, 'verify_message', code))), False
    told = getattr(answer, 'reason', None) or getattr(
        answer, 'strerror', None) if isinstance(answer, OSError) else None
    return f'cannot be called: {told or type(answer).__name__}', True


def _open(run: Run, port: int, closing: List[steps.Argv]) -> None:
    """Let the firewall pass a call, if it does not.

    :param closing: gets the commands that take it back, each before the
        one that it takes back
    """
    for opening, close in _openings(run, port):
        closing.append(close)
        status = run(opening, FIREWALL).status
        if status == 0:
            break
        if status is not None:
            # It was refused, and so may this be.
            run(close, FIREWALL)
            closing.remove(close)


def _openings(run: Run, port: int) -> Sequence[_Opening]:
    """What to try, the narrowest first; what is not known is left alone."""
    enabled = _asked(run, r'\s*Enabled:\s*', 'get')
    if enabled == 'false':
        return ()
    openings = []
    if port in _RULESET_PORTS:
        ruleset = ('--ruleset-id', _RULESET)
        passes = _asked(run, fr'\s*{_RULESET}\s+', 'ruleset', 'list',
                        *ruleset)
        if passes == 'true':
            return ()
        if passes == 'false':
            openings.append(_switch(('ruleset', 'set', *ruleset), True))
    if enabled == 'true':
        # Some releases refuse to change rulesets that they own.
        openings.append(_switch(('set',), False))
    return openings


def _switch(words: Sequence[str], to: bool) -> _Opening:
    """A command that enables or disables, and the one that takes it back."""
    on, off = ((*_FIREWALL, *words, '--enabled', value)
               for value in ('true', 'false'))
    return (on, off) if to else (off, on)


def _asked(run: Run, before: str, *words: str) -> Optional[str]:
    """The first word behind what a line of the answer begins with."""
    answer = run((*_FIREWALL, *words), FIREWALL)
    found = re.search(f'^{before}(\\w+)', answer.output, re.MULTILINE)
    return found.group(1).lower() if found and answer.status == 0 else None


def _close(run: Run, closing: List[steps.Argv]) -> None:
    """Take back, last first, whatever happens.

    :param closing: keeps the commands that failed, for the next time
    """
    stopped: Optional[BaseException] = None
    for argv in tuple(reversed(closing)):
        status: Optional[int] = None
        for number in range(TRIES):
            try:
                if number:
                    time.sleep(PAUSE)
                status = run(argv, FIREWALL).status
            except BaseException as error:
                # Even the last resort does not leave it open.
                stopped = error
            if status == 0:
                closing.remove(argv)
                break
    if stopped:
        raise stopped
