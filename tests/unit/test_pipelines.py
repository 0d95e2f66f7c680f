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

"""What others run or read agrees with what is there.

The jobs of Zuul and their playbooks, the example for nodepool, and the names
of variables in documentation and elements.
"""

import configparser
import pathlib
import re
import typing

import yaml

from esxi_img.conf import environment
from tests import base

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLE = ROOT / 'docs' / 'source' / 'user' / 'example'
PAGE = EXAMPLE.parent / 'diskimage-builder.rst'
OURS = 'esxi-img-'
PIPELINES = ('check', 'gate')
PLAYBOOKS = ('pre-run', 'run', 'post-run')
VARIABLES = {*environment.VARIABLES, environment.ISO, environment.CONFIG_FILE}

# Of nodepool's own check of its configuration: what an image may have.
DISKIMAGE = {
    'name': str, 'abstract': bool, 'parent': str, 'pause': bool,
    'elements': list, 'formats': list, 'release': str, 'rebuild-age': int,
    'build-timeout': int, 'env-vars': dict, 'username': str,
    'python-path': str, 'shell-type': str, 'dib-cmd': str, 'metadata': dict}


def text_files(*folders: str) -> list[pathlib.Path]:
    """Files that are ours, not made, and read as text."""
    return [path for folder in folders
            for path in sorted((ROOT / folder).rglob('*'))
            if path.is_file() and '__pycache__' not in path.parts
            and 'build' not in path.relative_to(ROOT).parts]


class TestZuul(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.jobs: dict[str, dict[str, typing.Any]] = {}
        self.projects = []
        for path in sorted((ROOT / '.zuul.d').glob('*.yaml')):
            for item in yaml.safe_load(path.read_text()):
                (kind, value), = item.items()
                if kind == 'job':
                    self.assertNotIn(value['name'], self.jobs)
                    self.jobs[value['name']] = value
                else:
                    self.assertEqual('project', kind)
                    self.projects.append(value)

    def run_in(self, pipeline: str) -> list[str]:
        """Names of the jobs, in order."""
        project, = self.projects
        return [next(iter(job)) if isinstance(job, dict) else job
                for job in project[pipeline]['jobs']]

    def playbooks(self) -> set[str]:
        named = [job.get(phase, []) for job in self.jobs.values()
                 for phase in PLAYBOOKS]
        return {path for paths in named for path in (
            [paths] if isinstance(paths, str) else paths)}

    def test_our_jobs_are_there_and_run(self) -> None:
        for pipeline in PIPELINES:
            names = self.run_in(pipeline)
            self.assertEqual(len(set(names)), len(names), pipeline)
            self.assertEqual(
                set(self.jobs), {name for name in names
                                 if name.startswith(OURS)}, pipeline)

    def test_what_is_checked_is_gated(self) -> None:
        project, = self.projects
        self.assertEqual(project['check'], project['gate'])

    def test_playbooks_are_there_and_named(self) -> None:
        there = {str(path.relative_to(ROOT))
                 for path in (ROOT / 'playbooks').rglob('*.yaml')}
        self.assertEqual(there, self.playbooks())

    def test_playbooks_are_plays_of_tasks(self) -> None:
        for path in self.playbooks():
            plays = yaml.safe_load((ROOT / path).read_text())
            self.assertTrue(plays, path)
            for play in plays:
                self.assertIn('hosts', play)
                self.assertTrue(play.get('roles') or play.get('tasks'), path)
                for task in play.get('tasks', []):
                    self.assertIsInstance(task, dict, task)
                    self.assertTrue(task.get('name'), task)
                    modules = task.keys() - {
                        'name', 'args', 'environment', 'loop', 'register'}
                    self.assertEqual(1, len(modules), task)

    def test_programs_are_installed(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(ROOT / 'setup.cfg')
        scripts = re.findall(r'(\S+) =', setup['entry_points'][
            'console_scripts'])
        for path in self.playbooks():
            used = set(re.findall(r'{{ programs }}/([\w-]+)',
                                  (ROOT / path).read_text()))
            self.assertIn('disk-image-create', used)
            self.assertLessEqual(used, {*scripts, 'disk-image-create'})

    def test_environments_of_tox(self) -> None:
        tox = configparser.RawConfigParser()
        tox.read(ROOT / 'tox.ini')
        for name, job in self.jobs.items():
            self.assertIn(f'testenv:{job["vars"]["tox_envlist"]}', tox, name)

    def test_a_change_of_what_is_run_runs_it(self) -> None:
        matter = [path for path in text_files(
            '.zuul.d', 'docs/source/user/example', 'elements', 'esxi_img',
            'playbooks', 'tests') if path.suffix != '.rst']
        matter += [ROOT / name for name in (
            'bindep.txt', 'requirements.txt', 'setup.cfg',
            'test-requirements.txt', 'tox.ini')]
        for name, job in self.jobs.items():
            irrelevant = [re.compile(pattern)
                          for pattern in job['irrelevant-files']]
            self.assertEqual(
                [], [str(path) for path in matter if any(
                    pattern.match(str(path.relative_to(ROOT)))
                    for pattern in irrelevant)], name)


class TestNodepool(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.config = yaml.safe_load((EXAMPLE / 'nodepool.yaml').read_text())
        self.image, = self.config['diskimages']
        self.variables = self.image['env-vars']

    def test_keys_and_values_are_nodepools(self) -> None:
        self.assertEqual({'elements-dir', 'diskimages'}, self.config.keys())
        for key, value in self.image.items():
            self.assertIsInstance(value, DISKIMAGE.get(key, ()), key)
        for item in [*self.image['elements'], *self.image['formats'],
                     *self.variables.values()]:
            self.assertIsInstance(item, str, item)
        self.assertLessEqual(set(self.image['formats']), {'raw', 'qcow2'})

    def test_elements_are_there(self) -> None:
        for name in self.image['elements']:
            self.assertEqual(1, sum(
                (folder / name / 'README.rst').is_file()
                for folder in (ROOT / 'elements', EXAMPLE / 'elements')),
                name)

    def test_variables_are_options(self) -> None:
        options = environment.load(
            self.variables, self.variables[environment.ISO], 'image.raw',
            default_file='/nonexistent')
        self.assertEqual(
            (('allowLegacyCPU=true', 'systemMediaSize=min'), False),
            (options.kernel_option, options.shell))

    def test_nothing_in_the_environment_is_secret(self) -> None:
        for name, value in self.variables.items():
            if re.search('PASS|HASH|SECRET|TOKEN', name):
                self.assertRegex(name, '_FILE$')
                self.assertRegex(value, '^/', name)
            self.assertNotRegex(value, r'\$6\$|://[^/]*@', name)

    def test_other_variables_are_an_elements(self) -> None:
        told = '\n'.join(path.read_text() for path in text_files(
            'docs/source/user/example/elements') if path.suffix == '.rst')
        for name in self.variables:
            if not name.startswith('DIB_') and name != 'TMPDIR':
                self.assertRegex(told, rf'(?m)^{name}$')


class TestVariables(base.TestCase):

    def test_none_is_named_that_is_none(self) -> None:
        files = [*text_files('docs', 'elements', 'playbooks',
                             'releasenotes/notes'), ROOT / 'README.rst']
        found = {(word, str(path.relative_to(ROOT))) for path in files
                 for word in re.findall(
                     r'DIB_ESXI_[A-Z0-9_]+',
                     path.read_text(errors='backslashreplace'))}
        self.assertLess(len(VARIABLES), len(found))
        self.assertEqual(set(), {(word, path) for word, path in found
                                 if word not in VARIABLES})

    def test_the_page_has_each(self) -> None:
        self.assertEqual(VARIABLES, set(re.findall(
            r'``(DIB_ESXI_[A-Z0-9_]+)``', PAGE.read_text())))

    def test_one_element_describes_each(self) -> None:
        described = [name for path in (ROOT / 'elements').glob('*/README.rst')
                     for name in re.findall(
                         r'(?m)^(DIB_ESXI_\w+)\n  :Required: ',
                         path.read_text())]
        self.assertEqual(sorted(VARIABLES), sorted(described))
