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

"""Steps and plans."""

from esxi_img.firstboot import steps
from tests import base


class TestId(base.TestCase):

    def same(self, one: steps.Step, other: steps.Step) -> bool:
        self.assertEqual(one.id == other.id, steps.Plan((one,)).id
                         == steps.Plan((other,)).id)
        return one.id == other.id

    def test_nobody_can_guess_what_is_not_shown(self) -> None:
        for one, other in (
                (steps.Step('x', file=steps.File('/a', 'one')),
                 steps.Step('x', file=steps.File('/a', 'other'))),
                (steps.Step('x', report=steps.Report(
                    'https://one/', ('a',), (('a', 'one'),))),
                 steps.Step('x', report=steps.Report(
                     'https://other/', ('a',), (('a', 'other'),))))):
            self.assertTrue(self.same(one, other))

    def test_all_else_matters(self) -> None:
        whole = steps.File('/a', 'one')
        one = steps.Step('x', file=whole)
        for other in (
                steps.Step('y', file=whole),
                steps.Step('x', file=whole, once=True),
                steps.Step('x', file=steps.File('/b', 'one')),
                steps.Step('x', file=steps.File('/a', 'one', None)),
                steps.Step('x', file=steps.File('/a', 'one', append=True)),
                steps.Step('x', report=steps.Report('one'))):
            self.assertFalse(self.same(one, other), other)
        self.assertFalse(self.same(steps.Step('x', ('a', 'b')),
                                   steps.Step('x', ('a b',))))


class TestShown(base.TestCase):

    def test_mode(self) -> None:
        for mode, shown, told in ((0o640, ' (mode 640)', '0640'),
                                  (None, '', None)):
            step = steps.Step('x', file=steps.File('/a', 'b', mode, True))
            self.assertEqual(f'append to /a{shown}', step.shown())
            self.assertEqual(told, step.as_json()['file']['mode'])
