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

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'ext'))

project = 'esxi-img'
copyright = 'the authors of esxi-img'
extensions = [
    'openstackdocstheme',
    'oslo_config.sphinxext',
    'vmware_esxi_keys',
]
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
