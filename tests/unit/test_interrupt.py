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

"""When a signal still counts."""

from unittest import mock

from esxi_img import interrupt
from tests import base


class TestInterrupt(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        for name, value in (('_too_late', False), ('_missed', None),
                            ('_left', 'nothing was written')):
            patch = mock.patch.object(interrupt, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def stopped(self) -> tuple[int, str]:
        with self.assertRaises(interrupt.Interrupted) as caught:
            interrupt.stop(15)
        return caught.exception.number, caught.exception.left

    def test_before_the_commit(self) -> None:
        self.assertEqual((15, 'nothing was written'), self.stopped())

    def test_after_it(self) -> None:
        interrupt.commit()
        interrupt.stop(15)

    def test_what_comes_behind_can_be_stopped(self) -> None:
        interrupt.commit()
        interrupt.proceed('half is done')
        self.assertEqual((15, 'half is done'), self.stopped())
        interrupt.commit()
        interrupt.stop(15)

    def test_a_signal_in_between_is_not_lost(self) -> None:
        interrupt.commit()
        interrupt.stop(2)
        with self.assertRaises(interrupt.Interrupted) as caught:
            interrupt.proceed('half is done')
        self.assertEqual((2, 'half is done'), (
            caught.exception.number, caught.exception.left))
