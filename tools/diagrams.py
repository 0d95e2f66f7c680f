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

"""Render docs/assets/*.dot with Graphviz, each to a PNG beside it.

    python tools/diagrams.py [SOURCE]...

Without a name, those whose picture is missing or was made of another source.
A picture holds the SHA-256 of its source in a tEXt chunk, so that a test
which has no Graphviz can tell whether the two belong together.
"""

import hashlib
import pathlib
import struct
import subprocess
import sys
import zlib

ASSETS = pathlib.Path(__file__).parents[1] / 'docs' / 'assets'
DPI = 96
# PNG specification, third edition: 5.2 and 5.3, 11.2.1, 11.3.3.2.
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_IHDR_END = len(_SIGNATURE) + 25
_KEYWORD = b'Source SHA-256'


def digest(source: pathlib.Path) -> str:
    """The SHA-256 of a source, in hexadecimal."""
    return hashlib.sha256(source.read_bytes()).hexdigest()


def picture(source: pathlib.Path) -> pathlib.Path:
    """Where the picture of a source belongs."""
    return source.with_suffix('.png')


def render(source: pathlib.Path) -> bytes:
    """The picture of a source, which it names.

    :raises OSError: there is no Graphviz
    :raises subprocess.CalledProcessError: it refuses the source
    """
    drawn = subprocess.run(
        ['dot', '-Tpng', f'-Gdpi={DPI}', str(source)],
        stdout=subprocess.PIPE, check=True).stdout
    return drawn[:_IHDR_END] + _chunk(
        b'tEXt', _KEYWORD + b'\0' + digest(source).encode('ascii')
    ) + drawn[_IHDR_END:]


def source_digest(png: bytes) -> str | None:
    """The SHA-256 of the source that a picture names; None: it names none.

    :raises ValueError: it is no PNG
    """
    for kind, data in _chunks(png):
        keyword, _, text = data.partition(b'\0')
        if (kind, keyword) == (b'tEXt', _KEYWORD):
            return text.decode('ascii')
    return None


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    :raises ValueError: it is no PNG
    """
    width, height = struct.unpack_from('>II', _chunks(png)[0][1])
    return width, height


def is_current(source: pathlib.Path) -> bool:
    """Whether the picture was made of this very source."""
    path = picture(source)
    return path.exists() and source_digest(path.read_bytes()) == digest(source)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack(
        '>I', zlib.crc32(kind + data))


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Type and data of each.

    :raises ValueError: it is no PNG
    """
    if not png.startswith(_SIGNATURE):
        raise ValueError('not a PNG')
    found, at = [], len(_SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from('>I4s', png, at)
        found.append((kind, png[at + 8:at + 8 + length]))
        at += length + 12
    return found


def main(names: list[str]) -> int:
    """Render and say so; the exit status."""
    sources = [pathlib.Path(name) for name in names] or [
        source for source in sorted(ASSETS.glob('*.dot'))
        if not is_current(source)]
    for source in sources:
        try:
            png = render(source)
        except FileNotFoundError:
            print('error: no program dot\n'
                  'hint: install the package graphviz', file=sys.stderr)
            return 4
        except subprocess.CalledProcessError:
            print(f'error: {source}: dot refuses it, see above',
                  file=sys.stderr)
            return 3
        picture(source).write_bytes(png)
        print('{}: {} x {}'.format(picture(source).name, *size(png)))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
