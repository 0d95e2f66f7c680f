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

"""The keys of vmware_esxi as a table of reStructuredText.

It is made of the schema that first boot and esxi-img-plan use, and stands
for the line MARK of a page.
"""

import json
import pathlib

SCHEMA = pathlib.Path(__file__).parents[2].joinpath(
    'esxi_img', 'firstboot', 'vmware_esxi.schema.json')
MARK = '.. vmware-esxi-keys\n'
_HEAD = '.. list-table::\n   :header-rows: 1\n   :widths: 36 24 40\n\n'


def setup(app):
    app.connect('source-read', _fill)
    return {'parallel_read_safe': True}


def _fill(app, docname, source):
    if MARK in source[0]:
        app.env.note_dependency(str(SCHEMA))
        source[0] = source[0].replace(MARK, table(
            json.loads(SCHEMA.read_text())))


def table(schema):
    rows = [('Key', 'Value', 'Meaning'), *_rows(schema, '')]
    return _HEAD + ''.join('   * - {}\n     - {}\n     - {}\n'.format(*row)
                           for row in rows)


def _rows(schema, path):
    for key, one in schema.get('properties', {}).items():
        yield f'``{path}{key}``', _value(one), _meaning(one)
        for inner in one.get('patternProperties', {}).values():
            yield from _rows(inner, f'{path}{key}.NAME.')


def _value(one):
    if 'enum' in one:
        return ', '.join(f'``{item}``' for item in one['enum'])
    if one['type'] == 'array':
        return f'up to {one["maxItems"]}: {_value(one["items"])}'
    if 'patternProperties' in one:
        inner, = one['patternProperties'].values()
        return f'up to {one["maxProperties"]}, by name: {_value(inner)}'
    if one['type'] == 'integer':
        return f'integer, {one["minimum"]} to {one["maximum"]}'
    return one['type'] if isinstance(one['type'], str) \
        else ' or '.join(one['type'])


def _meaning(one):
    more = [f'{word}: ``{json.dumps(value)}``.' for word, value in (
        ('Default', one.get('default')),
        *(('Example', value) for value in one.get('examples', ())))
        if value is not None]
    return ' '.join([f'*{one["title"]}.*', one['description'], *more])
