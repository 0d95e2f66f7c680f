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

"""The programs of ESXi that a script calls are answered here."""

import collections.abc
import contextlib
import dataclasses
import math
import os
import pathlib
import re
import select
import socket
import threading
import time
import typing

SOCKET = 'socket'
CLIENT = f'''
import _socket, sys
words = sys.argv
if words[0].endswith('/call'):
    del words[0]
data = b'\\0'.join(word.encode('utf-8', 'surrogateescape') for word in words)
fds = b''.join(fd.to_bytes(4, sys.byteorder) for fd in range(3))
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
server.connect('/opt/calls/{SOCKET}')
server.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
answer = server.recv(1)
sys.exit(answer[0] if answer else 255)
'''
"""The program in the machine: it gives its words and its standard files
away.  It needs nothing but the interpreter's own modules, for every program
under test waits until it has started."""


class Reply(typing.NamedTuple):
    """What a program says."""

    status: int = 0
    stdout: str = ''
    stderr: str = ''


Argv = tuple[str, ...]
Answer = collections.abc.Callable[
    [Argv, collections.abc.Callable[[], bytes]], Reply]
"""Takes the words and what reads standard input."""


@dataclasses.dataclass
class Call:
    """A program that was called.

    :param argv: a program of the search path by its name alone
    :param time: seconds since the machine was made
    :param reply: None: none yet, or who asked was gone before
    """

    time: float
    argv: Argv
    reply: Reply | None = None


@dataclasses.dataclass
class _Fault:
    words: Argv
    seconds: float
    reply: Reply | None
    action: collections.abc.Callable[[], typing.Any] | None
    times: float

    def fits(self, argv: Argv) -> bool:
        """All its words are there, in its order."""
        rest = iter(argv)
        return self.times > 0 and all(word in rest for word in self.words)


class Calls:
    """Answers, one at a time, and remembers.

    ``broken`` are errors of the simulation itself.
    """

    def __init__(self, folder: pathlib.Path, answer: Answer) -> None:
        self.log: list[Call] = []
        self.broken: list[Exception] = []
        self._answer = answer
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._threads: list[threading.Thread] = []
        self._callers: set[socket.socket] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(str(folder / SOCKET))
        (folder / SOCKET).chmod(0o666)
        self._socket.listen(64)
        self._start(self._accept)

    def inject(self, *words: str, times: float = math.inf,
               seconds: float = 0, reply: Reply | None = None,
               action: collections.abc.Callable[[], typing.Any] | None = None
               ) -> None:
        """Something else happens to the next calls with these words.

        :param words: all of them, in this order, others may stand between
        :param seconds: it takes so long; math.inf: it hangs
        :param reply: what it says then; None: what it always says
        :param action: happens first; when it cuts the power, nothing else
        """
        self._faults.append(_Fault(words, seconds, reply, action, times))

    def clear(self) -> None:
        """All that was injected is over."""
        self._faults.clear()

    def argvs(self, *words: str) -> list[Argv]:
        """Of all calls with these words, in order of their time."""
        wanted = _Fault(words, 0, None, None, 1)
        return [call.argv for call in self.log if wanted.fits(call.argv)]

    def text(self) -> bytes:
        """All that was said to and by the programs, to be searched."""
        return '\n'.join('\n'.join((
            *call.argv, *(call.reply[1:] if call.reply else ())))
            for call in self.log).encode('utf-8', 'surrogateescape')

    def close(self) -> None:
        """Nobody is answered any more."""
        for caller in (self._socket, *list(self._callers)):
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def _start(self, function: collections.abc.Callable[..., None],
               *arguments: typing.Any) -> None:
        thread = threading.Thread(
            target=function, args=arguments, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self._callers.add(caller)
            self._start(self._serve, caller)

    def _serve(self, caller: socket.socket) -> None:
        fds: list[int] = []
        try:
            data, fds, _, _ = socket.recv_fds(caller, 1 << 20, 3)
            if len(fds) == 3:
                name, *words = data.decode(
                    'utf-8', 'surrogateescape').split('\0')
                self._one(caller, fds, (re.sub(
                    '^/s?bin/', '', name), *words))
        except OSError:
            pass  # who asked is gone
        finally:
            for fd in fds:
                os.close(fd)
            self._callers.discard(caller)
            caller.close()

    def _one(self, caller: socket.socket, fds: list[int], argv: Argv
             ) -> None:
        call = Call(time.monotonic() - self._began, argv)
        with self._lock:
            self.log.append(call)
            fault = next((one for one in self._faults if one.fits(argv)),
                         None)
            if fault:
                fault.times -= 1
        if fault and fault.action:
            fault.action()
        if fault and _gone(caller, max(fault.seconds,
                                       0.2 if fault.action else 0)):
            return
        with self._lock:
            call.reply = fault.reply if fault and fault.reply else \
                self._safely(argv, fds[0])
        for fd, text in zip(fds[1:], call.reply[1:]):
            data = text.encode('utf-8', 'surrogateescape')
            while data:
                data = data[os.write(fd, data):]
        caller.send(bytes((call.reply.status & 255,)))

    def _safely(self, argv: Argv, stdin: int) -> Reply:
        try:
            return self._answer(argv, lambda: _all(stdin))
        except Exception as error:
            self.broken.append(error)
            return Reply(255, '', f'{error!r}\n')


def _gone(caller: socket.socket, seconds: float) -> bool:
    """Wait; whether the caller does not."""
    poll = select.poll()
    poll.register(caller, 0)
    return bool(poll.poll(
        None if math.isinf(seconds) else seconds * 1000))


def _all(fd: int) -> bytes:
    return b''.join(iter(lambda: os.read(fd, 1 << 16), b''))
