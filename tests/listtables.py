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

"""Reads list-tables of reStructuredText, for tests that compare them."""

import re
import textwrap

Row = list[str]

_TABLE = re.compile(
    r'(?m)^( *)\.\. list-table::.*\n((?:\1   .*\n|[ \t]*\n)+)')
_TITLE = re.compile(r'(?m)^(\S.*)\n([=\-])\2{2,}\n')


def sections(text: str) -> dict[str, str]:
    """What stands below each title, up to the next one of any level."""
    parts = _TITLE.split(text)[1:]
    return dict(zip(parts[::3], parts[2::3]))


def tables(text: str) -> list[list[Row]]:
    """The cells of each table, without its head; blanks are one blank."""
    return [_rows(textwrap.dedent(body)) for _, body in _TABLE.findall(text)]


def literals(cell: str) -> list[str]:
    """What stands in double backquotes."""
    return re.findall('``(.+?)``', cell)


def keys(table: list[Row]) -> list[str]:
    """All literals of a table's first column."""
    return [word for row in table for word in literals(row[0])]


def _rows(body: str) -> list[Row]:
    rows = re.split(r'(?m)^\* - ', body)[1:]
    return [[' '.join(cell.split()) for cell in re.split(
        r'(?m)^  -(?: |$)', row)] for row in rows][1:]
