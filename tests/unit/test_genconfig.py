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

"""The sample configuration file is what the options say."""

import pathlib

from oslo_config import generator

from tests import base

ROOT = pathlib.Path(__file__).parents[2]


class TestSample(base.TestCase):

    def test_the_sample_is_up_to_date(self) -> None:
        made = self.tmp() / 'sample'
        generator.main([
            '--config-file', str(ROOT / 'tools' / 'config-generator.conf'),
            '--output-file', str(made)])
        kept = ROOT / 'etc' / 'esxi-img' / 'esxi-img.conf.sample'
        self.assertEqual(made.read_text(), kept.read_text(),
                         'run: tox -e genconfig')
