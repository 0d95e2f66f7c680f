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

"""Runs the own code of what our image and config drives meet in production.

Each module here is a program whose functions a test calls: these packages
keep their options in one place for all, and replace parts of Python.  They
are those of tests/functional/requirements.txt.
"""

import atexit
import collections.abc
import contextlib
import functools
import http.server
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import typing

from tests import base

ROOT = pathlib.Path(__file__).parents[3]
_WHERE = 'tests/functional/requirements.txt'
_SECONDS = 120


class Refused(Exception):
    """What such a package says against an image or a drive."""


def require(test: base.TestCase, *packages: str) -> None:
    """Skip, loudly, unless these Python packages are installed."""
    test.require(*(f'{name} of {_WHERE}' for name in packages
                   if not importlib.util.find_spec(name)))


class Client:
    """A module of this folder in a process of its own.

    :param folder: for its temporary files
    :param path: a folder whose programs it finds before others
    """

    def __init__(self, module: str, folder: pathlib.Path,
                 path: pathlib.Path | None = None) -> None:
        paths = [str(path)] if path else []
        self._log = open(folder / f'{module}.log', 'w+')
        self._process = subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-m', f'{__name__}.{module}'],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, text=True, env={
                'PATH': os.pathsep.join((*paths, os.environ['PATH'])),
                'LC_ALL': 'C.UTF-8', 'HOME': str(folder),
                'TMPDIR': str(folder)})

    def close(self) -> None:
        """The process ends; nothing it has started runs on."""
        self._process.communicate(timeout=_SECONDS)
        self._log.close()

    def __call__(self, function: str, **arguments: typing.Any) -> typing.Any:
        """What a function returns; all are values of JSON.

        :raises Refused: so does the function
        """
        assert self._process.stdin and self._process.stdout
        print(json.dumps([function, arguments]), file=self._process.stdin,
              flush=True)
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(_SECONDS)
            self._log.seek(0)
            raise AssertionError(self._log.read())
        said = json.loads(line)
        if 'refused' in said:
            raise Refused(said['refused'])
        return said['returned']


@functools.cache
def shared(module: str) -> Client:
    """For all tests of this process, where no other program matters."""
    folder = tempfile.mkdtemp(prefix='esxi-img-client-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    client = Client(module, pathlib.Path(folder))
    atexit.register(client.close)
    return client


def serve(*functions: collections.abc.Callable[..., typing.Any]) -> None:
    """Call them as the lines of standard input say."""
    by_name = {function.__name__: function for function in functions}
    answers = sys.stdout
    # What a library prints is no answer.
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            name, arguments = json.loads(line)
            try:
                said = {'returned': by_name[name](**arguments)}
            except Refused as refused:
                said = {'refused': str(refused)}
            print(json.dumps(said), file=answers, flush=True)


class _Handler(http.server.SimpleHTTPRequestHandler):

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: pathlib.Path) -> collections.abc.Iterator[str]:
    """The URL of a folder's files; until the end."""
    with http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), functools.partial(
                _Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}/'
        finally:
            server.shutdown()
            thread.join()
