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

"""On-disk records: one declarative field table each, packed and unpacked.

A record is a frozen dataclass whose fields carry a ``struct`` format and
stand in the order and under the names of their specification.  All numbers
are little-endian, as UEFI and FAT want them.
"""

import dataclasses
import struct
from typing import Any, ClassVar, TypeVar

R = TypeVar('R', bound='Record')


def field(fmt: str, default: Any = dataclasses.MISSING) -> Any:
    """One field of a record: its struct format and, if it has one, a default.

    A default marks what the specification (or this project) fixes.
    """
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={'fmt': fmt})
    return dataclasses.field(default=default, metadata={'fmt': fmt})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """Base of all records; ``SIZE`` is the packed length in bytes."""

    SIZE: ClassVar[int]

    @classmethod
    def layout(cls) -> struct.Struct:
        return struct.Struct('<' + ''.join(
            f.metadata['fmt'] for f in dataclasses.fields(cls)))

    def pack(self) -> bytes:
        """The record's bytes, ``SIZE`` of them."""
        return self.layout().pack(*(
            getattr(self, f.name) for f in dataclasses.fields(self)))

    @classmethod
    def unpack(cls: type[R], data: bytes) -> R:
        """The record at the start of ``data``.

        :raises ValueError: data is shorter than ``SIZE``
        """
        if len(data) < cls.SIZE:
            raise ValueError(f'{cls.__name__} needs {cls.SIZE} bytes, '
                             f'there are {len(data)}')
        values = cls.layout().unpack(data[:cls.SIZE])
        names = (f.name for f in dataclasses.fields(cls))
        return cls(**dict(zip(names, values)))

    def but(self, **changes: Any) -> Any:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)
