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

"""What user data is made of, whatever it is."""

import base64
import builtins
import gzip
import json
import time
import tracemalloc
from unittest import mock

import hypothesis
from hypothesis import strategies

from esxi_img.firstboot import mediatype
from esxi_img.firstboot import mime
from esxi_img.firstboot import userdata
from tests import base

CORPUS = base.FIXTURES / 'corpus'
MARKER = b'hunter2marker'
CONFIG = b'#cloud-config\nhostname: one\n'
SCRIPT = b'#!/bin/sh\necho one\n'
BASE64 = 'encoded as base64 once more than needed: taken as what it holds'
WINDOWS = 'a script with line ends of Windows: made those of Unix'

# Every user_data of the corpus: its parts and its problems.
EXPECTED: dict[str, tuple[list, list]] = {
    'ironic-generated/dual-stack-one-port': (['script'], []),
    'ironic-generated/portgroup-and-port': (['script'], []),
    'ironic-generated/same-port-names': (['script'], []),
    'ironic-generated/two-ports-jumbo-storage': (['script'], []),
    'nova-generated/full-metadata': (['config'], []),
    'userdata-variants/base64-again': (['config'], [BASE64]),
    'userdata-variants/binary': ([], ['binary data: left out']),
    'userdata-variants/cloud-config-archive': (['config', 'script'], []),
    'userdata-variants/cloud-config-jinja': ([], [
        'a Jinja template is not supported: write out what it stands for']),
    'userdata-variants/gzip-mime': (['config', 'script', 'script'], []),
    'userdata-variants/include': ([], [
        '#include: first boot fetches nothing: put the content here']),
    'userdata-variants/powershell': ([], [
        'a script for Windows, which ESXi cannot run']),
    'userdata-variants/shebang-crlf': (['script'], [WINDOWS]),
    'userdata-variants/shebang-sh': (['script'], [])}


def message(*parts: bytes, kind: str = 'multipart/mixed') -> bytes:
    lines = [f'MIME-Version: 1.0\nContent-Type: {kind}; boundary="b"\n\n'
             .encode(), *(b'--b\n' + part + b'\n' for part in parts)]
    return b''.join(lines) + b'--b--\n'


def part(kind: str, content: bytes, encoding: str | None = None) -> bytes:
    head = f'Content-Type: {kind}\n'
    if encoding:
        head += f'Content-Transfer-Encoding: {encoding}\n'
    return head.encode() + b'\n' + content


def kinds(data: bytes) -> list[str]:
    return [one.kind for one in userdata.parts(data, 'x')[0]]


def odd(data: bytes) -> list[tuple[str, str]]:
    return [(one.where, one.message)
            for one in userdata.parts(data, 'x')[1]]


class TestCorpus(base.TestCase):

    def test_every_kind(self) -> None:
        found = {}
        for path in sorted(CORPUS.rglob('user_data')):
            parts, problems = userdata.parts(path.read_bytes(), 'user_data')
            found[str(path.parent.relative_to(CORPUS))] = (
                [one.kind for one in parts],
                [one.message for one in problems])
        self.assertEqual(EXPECTED, found)


class TestParts(base.TestCase):

    def test_empty(self) -> None:
        for data in (b'', b' \r\n', b'\xef\xbb\xbf', gzip.compress(b''),
                     message(), message(b'', b'\n', part('text/x', b' '))):
            with self.subTest(data=data):
                self.assertEqual(([], []), userdata.parts(data, 'x'))

    def test_first_lines(self) -> None:
        for data, kind in (
                (SCRIPT, 'script'), (b'\n ' + SCRIPT, 'script'),
                (b'#!', 'script'), (b'\xef\xbb\xbf' + SCRIPT, 'script'),
                (CONFIG, 'config'), (b'#CLOUD-config\r\n{}', 'config'),
                (b'{"hostname": "one"}', 'config'),
                (b'\xef\xbb\xbf' + CONFIG, 'config'),
                (b'#cloud-config-archive\n["#!a"]', 'script')):
            with self.subTest(data=data):
                self.assertEqual([kind], kinds(data))
                self.assertEqual([], odd(data))

    def test_a_script_starts_with_its_interpreter(self) -> None:
        for data in (b'\xef\xbb\xbf\n' + SCRIPT,
                     SCRIPT.replace(b'\n', b'\r\n'), gzip.compress(SCRIPT)):
            parts, _ = userdata.parts(data, 'x')
            self.assertEqual([SCRIPT], [one.content for one in parts])

    def test_unsupported(self) -> None:
        for data, words in (
                (b'## template: jinja\n#cloud-config\n', 'Jinja'),
                (b'#include http://x\n', '#include'),
                (b'#include-once\nhttp://x\n', '#include'),
                (b'#part-handler\n', '#part-handler'),
                (b'#cloud-boothook\n', 'bootcmd'),
                (b'#cloud-config-jsonp\n[]', 'JSON patch'),
                (b'{"ignition": {"version": "3.4.0"}}', 'Ignition'),
                (b'{"ignition": ', 'YAML nor JSON'),
                (b'#ps1_sysnative\r\n', 'Windows'), (b'#ps1\n', 'Windows'),
                (b'rem cmd\r\n', 'Windows'), (b'<powershell>\n', 'Windows'),
                ('#!/bin/sh'.encode('utf-16'), 'UTF-16'),
                (b'\0\1', 'binary'), (b'\x89PNG', 'binary'),
                (b'hello', 'no known kind'), (b'[1]', 'no known kind'),
                (b'aGVsbG8sIHdvcmxkCg==', 'no known kind'),
                (b'#cloud-config-archive\na: b', 'no list'),
                (b'#cloud-config-archive\n[', 'YAML'),
                (b'#cloud-config-archive\n[{}]', 'content'),
                (b'#cloud-config-archive\n[{content: {a: b}}]', 'content'),
                (message(part('text/x-unheard-of', b'x')),
                 "'text/x-unheard-of'"),
                (message(part('text/x shellscript!', b'x')), 'this one'),
                (message(part('text/x-shellscript', b'echo')),
                 'interpreter'),
                (message(part('text/plain', b'x', 'x-uuencode')),
                 'Transfer-Encoding'),
                (message(part('text/plain', b'A', 'base64')),
                 'Transfer-Encoding'),
                (b'MIME-Version: 1\nContent-Type: multipart/mixed\n\nx',
                 'boundary'),
                (gzip.compress(SCRIPT)[:-1], 'gzip'),
                (b'\x1f\x8bx', 'gzip')):
            with self.subTest(data=data):
                self.assertEqual([], kinds(data))
                problems = odd(data)
                self.assertEqual(1, len(problems), problems)
                self.assertIn(words, problems[0][1])

    def test_used_with_a_problem(self) -> None:
        for data, words in (
                (base64.b64encode(CONFIG), 'base64'),
                (base64.encodebytes(gzip.compress(SCRIPT, mtime=0)),
                 'base64'),
                (SCRIPT.replace(b'\n', b'\r\n'), 'Windows'),
                (message(part('text/x-shellscript-per-boot', SCRIPT)),
                 'once'),
                (message(b'Merge-Type: list(append)\n'
                         + part('text/cloud-config', CONFIG)), 'Merge-Type'),
                (gzip.compress(SCRIPT) * 2, 'several members')):
            with self.subTest(data=data):
                self.assertEqual(1, len(kinds(data)))
                self.assertEqual(1, len(odd(data)))
                self.assertIn(words, odd(data)[0][1])

    def test_paths(self) -> None:
        inner = part('multipart/mixed; boundary=c',
                     b'--c\n\nhello\n--c\n\n#!x\n--c--')
        parts, problems = userdata.parts(message(b'\n#!y', inner), 'x')
        self.assertEqual(['x:part[0]', 'x:part[1].part[1]'],
                         [one.where for one in parts])
        self.assertEqual(['x:part[1].part[0]'],
                         [one.where for one in problems])
        parts, _ = userdata.parts(SCRIPT, 'v.json:cloud-init[0]')
        self.assertEqual(['v.json:cloud-init[0]'],
                         [one.where for one in parts])

    def test_without_zlib(self) -> None:
        load = builtins.__import__

        def imported(name, *others):
            if name == 'zlib':
                raise ImportError(name)
            return load(name, *others)

        with mock.patch.object(builtins, '__import__', imported):
            parts, problems = userdata.parts(gzip.compress(SCRIPT), 'x')
        self.assertEqual([], parts)
        self.assertIn('no zlib', problems[0].message)

    def test_secrets_are_not_shown(self) -> None:
        parts, _ = userdata.parts(SCRIPT + MARKER, 'x')
        self.assertNotIn(MARKER.decode(), repr(parts))


class TestLimits(base.TestCase):

    def test_nesting(self) -> None:
        packed = base64.b64encode(gzip.compress(message(
            part('application/gzip', base64.b64encode(gzip.compress(SCRIPT)),
                 'base64'))))
        self.assertEqual(['script'], kinds(packed))
        self.assertEqual(
            [('x:part[0]', 'nested more than 4 levels deep: left out')],
            odd(gzip.compress(packed))[1:])
        nested = SCRIPT
        for number in range(5):
            self.assertEqual(['script'], kinds(nested))
            edge = b'b%d' % number
            nested = (b'MIME-Version: 1\nContent-Type: multipart/x; boundary='
                      + edge + b'\n\n--' + edge + b'\n' + nested + b'\n--'
                      + edge + b'--\n')
        self.assertEqual([], kinds(nested))
        deep = SCRIPT
        for _ in range(3000):
            deep = b'MIME-Version: 1\n\n' + deep
        self.assertEqual([], kinds(deep))

    def test_parts(self) -> None:
        self.assertEqual(64, len(kinds(message(*[SCRIPT] * 64))))
        self.assertEqual([], odd(message(*[SCRIPT] * 64)))
        for data in (message(*[SCRIPT] * 65), message(*[b'x'] * 5000),
                     b'#cloud-config-archive\n' + json.dumps(
                         ['#!a'] * 1000).encode()):
            self.assertLessEqual(len(kinds(data)), 64)
            self.assertIn('more than 64 parts', odd(data)[-1][1])
            self.assertLess(len(odd(data)), 66)
        _, problems = userdata.several([('x', SCRIPT)] * 65)
        self.assertIn('more than 64 parts', problems[-1].message)

    def test_sizes(self) -> None:
        most = SCRIPT + b'#' * ((1 << 20) - len(SCRIPT))
        self.assertEqual(['script'], kinds(most))
        self.assertEqual([('x', 'a script of more than 1 MiB: left out')],
                         odd(most + b'#'))
        self.assertIn('a config of more than 1 MiB',
                      odd(CONFIG + most)[0][1])
        self.assertEqual(4, len(kinds(message(*[b'\n' + most] * 5))))
        self.assertIn('more than 4 MiB',
                      odd(message(*[b'\n' + most] * 5))[-1][1])

    def test_unpacked(self) -> None:
        bomb = gzip.compress(bytes(64 << 20))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertIn('unpacked more than 16 MiB', odd(bomb)[0][1])
        nine = message(*[part('application/gzip', base64.b64encode(
            gzip.compress(bytes(9 << 20))), 'base64')] * 3)
        self.assertIn('unpacked more than 16 MiB', odd(nine)[-1][1])
        self.assertLess(tracemalloc.get_traced_memory()[1], 80 << 20)

    def test_no_memory_for_a_header_without_end(self) -> None:
        data = b'a:\n' * (2 << 20)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertFalse(mime.is_message(data))
        self.assertLess(tracemalloc.get_traced_memory()[1], 8 << 20)

    def test_time(self) -> None:
        size = 16 << 20
        for data in (b'\n' * size, b'a:\n' * (size // 3), b' ' * size,
                     b'a' * size, b'a b' * (size // 3) + b'!',
                     b'From x\n' + b'a' * size,
                     message(b'--b ' * (size // 4)),
                     message(b'\n--b' + b' ' * size + b'x'),
                     message(b'\n--bx' * (size // 5)),
                     b'Content-Type: text/x' + b';' * size):
            start = time.monotonic()
            userdata.parts(data, 'x')
            self.assertLess(time.monotonic() - start, 10)


PIECES = strategies.lists(strategies.sampled_from([
    b'#cloud-config\n', b'#!/bin/sh\n', b'#cloud-config-archive\n', b'- ',
    b'MIME-Version: 1.0\n', b'Content-Type: ', b'multipart/mixed',
    b'; boundary=b\n', b'; boundary="b"\n', b'\n--b\n', b'\n--b--\n', b'\n',
    b'\r\n', b'text/cloud-config\n', b'text/x-shellscript\n',
    b'text/plain\n', b'application/gzip\n', b'message/rfc822\n',
    b'Content-Transfer-Encoding: base64\n', b'I2Nsb3VkLWNvbmZpZwo=',
    b'Content-Transfer-Encoding: quoted-printable\n', b'=3D', b'{', b'"a"',
    b': ', b'}', b'[', b']', b'content: ', b'type: ', b'\x1f\x8b',
    gzip.compress(b'#!/bin/sh\n', mtime=0), b'\xef\xbb\xbf', b'\0', b'\xff',
    b'From x\n', b' ', b'Merge-Type: x\n', b'{"ignition": {}}']),
    max_size=24).map(b''.join)


class TestAnything(base.TestCase):

    @hypothesis.given(PIECES | strategies.binary()
                      | PIECES.map(gzip.compress)
                      | PIECES.map(base64.b64encode))
    def test_any_data(self, data: bytes) -> None:
        parts, problems = userdata.parts(data, 'x')
        for one in parts:
            self.assertIn(one.kind, (userdata.CONFIG, userdata.SCRIPT))
            if one.kind == userdata.SCRIPT:
                self.assertTrue(one.content.startswith(b'#!'))
        for problem in problems:
            self.assertTrue(problem.message.isprintable())
        if not data.strip():
            self.assertEqual([], [*parts, *problems])

    @hypothesis.given(PIECES, PIECES)
    def test_a_problem_tells_no_content(self, before: bytes, after: bytes
                                        ) -> None:
        for data in (before + MARKER + after, message(before + MARKER),
                     message(b'a: ' + MARKER, b'\n' + MARKER + after),
                     gzip.compress(MARKER + after),
                     base64.b64encode(before + b'\n' + MARKER)):
            _, problems = userdata.parts(data, 'x')
            # But for the type of a part, which is a word like a key.
            self.assertNotIn(MARKER.decode(), repr([
                one for one in problems
                if not one.message.startswith('parts of type')]))


class TestMime(base.TestCase):

    def test_is_message(self) -> None:
        for data, expected in (
                (b'MIME-Version: 1.0\n\nx', True),
                (b'From x\nX-Y: z\nmime-version : 1\n\n', True),
                (b'Content-Type: text/plain', True),
                (b'A: b\n folded\nContent-Type: x\n\n', True),
                (b'a: b\n\nMIME-Version: 1', False), (b'', False),
                (b'#x\nMIME-Version: 1', False),
                (b'a:\n' * 9000 + b'MIME-Version: 1\n\n', False)):
            with self.subTest(data=data[:40]):
                self.assertIs(expected, mime.is_message(data))

    def test_entity(self) -> None:
        one = mime.entity(
            b'content-TYPE: Multipart/Mixed; charset=x;\r\n\tBoundary="a b"'
            b'\r\nContent-Transfer-Encoding: Base64\r\nX-Merge-Type: y\r\n'
            b'\r\nbody\r\n')
        self.assertEqual(mime.Entity('multipart/mixed', 'base64', 'a b', True,
                                     b'body\r\n'), one)
        self.assertEqual(mime.Entity(None, '', None, False, b'#x\n'),
                         mime.entity(b'#x\n'))

    def test_pieces(self) -> None:
        for body, expected in (
                (b'', []), (b'--b', [b'']), (b'--b--\n--b\nx', []),
                (b'x\n--b\n1\n--b\n2\n--b--\ny', [b'1', b'2']),
                (b'--b \r\n1\r\n\r\n--b--', [b'1\r\n']),
                (b'--b\n--bb\n--b\n', [b'--bb', b'']),
                (b'--b\n1 --b\n', [b'1 --b\n'])):
            with self.subTest(body=body):
                self.assertEqual(expected, list(mime.pieces(
                    mime.Entity('multipart/x', '', 'b', False, body))))

    def test_content(self) -> None:
        for encoding, body, expected in (
                ('', b'x', b'x'), ('8bit', b'\xff', b'\xff'),
                ('base64', b'eA==', b'x'), ('base64', b'e\nA', b'x'),
                ('base64', b'eA=', b'x'), ('base64', b'e', None),
                ('quoted-printable', b'=78=\n=79', b'xy'),
                ('quoted-printable', b'=', b''), ('rot13', b'x', None)):
            with self.subTest(encoding=encoding, body=body):
                self.assertEqual(expected, mime.content(
                    mime.Entity(None, encoding, None, False, body)))


class TestMediatype(base.TestCase):

    def test_no_prefix_hides_another(self) -> None:
        starts = [prefix for prefix, _ in mediatype._STARTS]
        for index, one in enumerate(starts):
            self.assertFalse([other for other in starts[:index]
                              if one.startswith(other)])
