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

import logging
import pathlib
import sys

from docutils import nodes
from docutils.parsers import rst

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'docs' / 'ext'))

project = 'esxi-img'
copyright = 'the authors of esxi-img'
extensions = [
    'command_options',
    'layers',
    'openstackdocstheme',
    'oslo_config.sphinxext',
    'vmware_esxi_keys',
]

if (ROOT / '.git').exists():
    extensions.append('reno.sphinxext')
else:
    # The theme would warn that it does not know the commit.
    logging.getLogger('sphinx.openstackdocstheme.ext').setLevel(logging.ERROR)


class NoNotes(rst.Directive):
    """Stands for the release notes: git alone knows what is in a release."""

    def run(self):
        return [nodes.paragraph(
            text='This copy was made of a tree without the history that the '
                 'notes are sorted by: see the files themselves.')]


def setup(app):
    if 'reno.sphinxext' not in extensions:
        app.add_directive('release-notes', NoNotes)


# The theme's own says that the text is under another licence than ours.
templates_path = ['_templates']
# Options start with two dashes, not with one long one.
smartquotes = False
pygments_style = 'native'
html_theme = 'openstackdocs'
html_theme_options = {
    'display_badge': False,
    'display_global_toc_section': True,
}
openstackdocs_auto_name = False
openstackdocs_pdf_link = False
man_pages = [
    ('reference/man/esxi-img', 'esxi-img',
     'build an ESXi bare-metal image from the installer ISO', [], 1),
    ('reference/man/esxi-img-elements', 'esxi-img-elements',
     'print the folder of the diskimage-builder elements', [], 1),
    ('reference/man/esxi-img-inspect', 'esxi-img-inspect',
     'read an image of esxi-img back', [], 1),
    ('reference/man/esxi-img-plan', 'esxi-img-plan',
     'show what a host would become from a config drive', [], 1),
    ('reference/man/esxi-img-sample-iso', 'esxi-img-sample-iso',
     'write an ISO that looks like an ESXi installer', [], 1),
]
