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

"""What list and get commands print: text for people, or JSON."""

import collections.abc
import json
import typing

Row = dict[str, typing.Any]


class Answer(typing.NamedTuple):
    """Rows of values by heading, in one of four shapes."""

    shape: str
    rows: list[Row]
    columns: tuple[str, ...] = ()


def table(columns: str, rows: collections.abc.Iterable[
        collections.abc.Sequence]) -> Answer:
    """One line a row under headings, which are given with bars between."""
    headings = tuple(columns.split('|'))
    return Answer('table', [dict(zip(headings, row, strict=True))
                            for row in rows], headings)


def records(rows: collections.abc.Iterable[Row]) -> Answer:
    """An indented block for each row."""
    return Answer('records', list(rows))


def simple(**values: typing.Any) -> Answer:
    """One indented block; an underscore stands for a blank."""
    return Answer('simple', [{name.replace('_', ' '): value
                              for name, value in values.items()}])


def line(text: str) -> Answer:
    """Nothing but a line of text."""
    return Answer('line', [{'': text}])


def render(answer: Answer, formatter: str | None, joined: bool) -> str:
    """As the program prints it.

    :param joined: JSON keys without blanks, as some releases have them
    """
    if answer.shape == 'line':
        text = answer.rows[0]['']
        return json.dumps(text) if formatter == 'json' else f'{text}\n'
    if formatter == 'json':
        rows = [{key.replace(' ', '') if joined else key: value
                 for key, value in row.items()} for row in answer.rows]
        return json.dumps(rows[0] if answer.shape == 'simple' else rows)
    if answer.shape == 'table':
        return _table(answer)
    titled = answer.shape == 'records'
    return '\n'.join(
        (f'{row["Name"]}\n' if titled and 'Name' in row else '') + ''.join(
            f'   {key}: {_text(value)}'.rstrip() + '\n'
            for key, value in row.items()) for row in answer.rows)


def _text(value: typing.Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ', '.join(value) if isinstance(value, list) else str(value)


def _table(answer: Answer) -> str:
    widths = {name: max(len(name), *(len(_text(row[name]))
                                     for row in answer.rows), 0)
              for name in answer.columns}

    def cell(name: str, value: typing.Any) -> str:
        text = _text(value)
        return text.rjust(widths[name]) if isinstance(value, int) \
            else text.ljust(widths[name])

    heads = {name: name for name in answer.columns}
    rules = {name: '-' * width for name, width in widths.items()}
    return ''.join('  '.join(cell(name, row[name]) for name in widths)
                   .rstrip() + '\n' for row in (heads, rules, *answer.rows))
