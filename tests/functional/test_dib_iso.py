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

"""disk-image-create fetches the ISO, keeps it, and asks after it."""

import functools
import http.server
import pathlib
import shutil
import threading
import typing

from tests.functional import command
from tests.functional import dib


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; honours If-Modified-Since and notes requests."""

    def __init__(self, *arguments: typing.Any, asked: list[str],
                 **options: typing.Any) -> None:
        self.asked = asked
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        """One file breaks off."""
        if not self.path.endswith('/cut.iso'):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header('Content-Length', '1000000')
        self.end_headers()
        self.wfile.write(bytes(1000))

    def log_request(self, code: typing.Any = '-', size: object = '-') -> None:
        self.asked.append(f'{self.path} {int(code)}')

    def log_message(self, *_: object) -> None:
        """Not to standard error."""


class TestUrl(dib.TestCase):
    """The ISO is on a web server."""

    def setUp(self) -> None:
        super().setUp()
        self.site = self.folder / 'site'
        for name, iso in (('a', command.sample()), ('b', command.sample(9))):
            (self.site / name).mkdir(parents=True)
            shutil.copyfile(iso, self.site / name / 'esxi.iso')
        self.asked: list[str] = []
        server = http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), functools.partial(
                _Handler, directory=str(self.site), asked=self.asked))
        self.addCleanup(server.server_close)
        self.url = f'http://127.0.0.1:{server.server_port}'
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.cache = self.folder / 'cache'
        self.cache.mkdir()

    def fetched(self, name: str, want: pathlib.Path,
                *options: str) -> list[str]:
        """What the server was asked for in a build that made the same."""
        self.asked.clear()
        out = self.built(*options, *dib.RAW, DIB_ESXI_ISO=self.url + name,
                         DIB_IMAGE_CACHE=self.cache)
        self.assert_same(want, out / 'x.raw')
        return list(self.asked)

    def cached(self) -> list[pathlib.Path]:
        """The files that are kept."""
        return [path for path in self.cache.rglob('*') if path.is_file()]

    def test_fetched_once(self) -> None:
        want = self.cli()
        self.assertEqual(['/a/esxi.iso 200'],
                         self.fetched('/a/esxi.iso', want))
        self.assertEqual(1, len(self.cached()))
        self.assertEqual(['/a/esxi.iso 304'],
                         self.fetched('/a/esxi.iso', want))
        self.assertEqual([], self.fetched('/a/esxi.iso', want, '--offline'))
        # Another one of the same name, with a query.
        other = self.cli(iso=command.sample(9))
        self.assertEqual(['/b/esxi.iso?raw=1 200'],
                         self.fetched('/b/esxi.iso?raw=1', other))
        self.assertEqual(2, len(self.cached()))

    def test_not_fetched(self) -> None:
        for pattern, name, options, asked in (
                ('offline|OFFLINE', '/a/esxi.iso', ('--offline',), []),
                ('fetched', '/no.iso', (), ['/no.iso 404']),
                ('fetched', '/cut.iso', (), ['/cut.iso 200'])):
            with self.subTest(name):
                self.asked.clear()
                self.refused(pattern, *options, *dib.RAW,
                             DIB_ESXI_ISO=self.url + name,
                             DIB_IMAGE_CACHE=self.cache)
                self.assertEqual(asked, self.asked)
                self.assertEqual([], self.cached())

    def test_what_is_no_iso_is_not_kept(self) -> None:
        """As by its date it would be newer than what comes after it."""
        iso = self.site / 'a' / 'esxi.iso'
        iso.rename(self.site / 'good.iso')
        iso.write_text('<html>Log in, please</html>')
        self.refused('not an ISO 9660 image', *dib.RAW,
                     DIB_ESXI_ISO=f'{self.url}/a/esxi.iso\n',
                     DIB_IMAGE_CACHE=self.cache)
        self.assertEqual([], self.cached())
        (self.site / 'good.iso').replace(iso)
        self.fetched('/a/esxi.iso', self.cli())

    def test_not_fetched_for_nothing(self) -> None:
        """What is wrong otherwise is told before."""
        self.refused('no[.]cfg', DIB_ESXI_ISO=f'{self.url}/a/esxi.iso',
                     DIB_ESXI_KICKSTART='no.cfg')
        self.assertEqual([], self.asked)
