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

"""Options from variables: how diskimage-builder's elements are told.

``DIB_ESXI_`` and the option's name in capitals; a list has one value a line.
A variable wins over the configuration file.
"""

import collections.abc
import re
import typing

from oslo_config import cfg

from esxi_img import conf
from esxi_img.conf import opts
from esxi_img import errors
from esxi_img import options

PREFIX = 'DIB_ESXI_'
ISO = 'DIB_ESXI_ISO'
CONFIG_FILE = 'DIB_ESXI_CONFIG_FILE'
SIZE = 'DIB_IMAGE_SIZE'

EXEMPT = frozenset(('format', 'compress', 'image_size'))
"""Options that disk-image-create has of its own: -t, -u, --image-size."""

VARIABLES = {PREFIX + opt.dest.upper(): opt
             for opt in opts.FILE_OPTS if opt.dest not in EXEMPT}
READ = {**VARIABLES, **{SIZE: opt for opt in opts.FILE_OPTS
                        if opt.dest == 'image_size'}}
"""disk-image-create's own variable for its --image-size besides."""


def load(environ: collections.abc.Mapping[str, str], iso: str, output: str,
         default_file: str = conf.DEFAULT_FILE) -> options.Options:
    """The options of a build within disk-image-create.

    :raises RequestError: with every variable that is unknown or has a bad
        value
    """
    problems = [_unknown(name) for name in sorted(environ)
                if name.startswith(PREFIX) and name not in VARIABLES
                and name not in (ISO, CONFIG_FILE)]
    values = conf.file_values(_lines(environ.get(CONFIG_FILE, '')),
                              default_file)
    # Of a file for esxi-img, too: disk-image-create makes what it wants.
    values |= {'format': 'raw', 'compress': False}
    for name, opt in READ.items():
        if environ.get(name):
            try:
                values[opt.dest] = _value(opt, environ[name])
            except ValueError as error:
                problems.append(f'{name}: {conf.in_our_words(error)}')
    if problems:
        raise errors.RequestError(*problems)
    return conf.options_of({**values, 'iso': iso, 'output': output})


def spelt(problem: str) -> str:
    """A message about options, with the variables in their place."""
    for name, opt in READ.items():
        problem = re.sub(f'--{opt.name}(?![a-z-])', name, problem)
    return problem


def _unknown(name: str) -> str:
    option = name[len(PREFIX):].lower()
    if option in EXEMPT:
        return (f'{name}: this is disk-image-create\'s to say (-t, -u, '
                '--image-size)')
    return f'{name}: there is no such option'


def _value(opt: cfg.Opt, text: str) -> typing.Any:
    if opt.multi:
        return [opt.type(line) for line in _lines(text)]
    return opt.type(text.strip())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
