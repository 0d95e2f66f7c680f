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

"""Images into Glance: what is sent, what goes wrong, what is left."""

import collections.abc
import configparser
import contextlib
import io
import json
import os
import pathlib
import sys
import traceback
import typing
from unittest import mock
import warnings

from esxi_img import errors
from esxi_img import interrupt
from esxi_img import manifest
from esxi_img import report
from esxi_img import upload
from tests import base
from tests import cloud as cloud_module
from tests.unit import test_glance
from tests.unit import test_recipe


class Stopping(report.Report):
    """A report in whose progress a signal arrives."""

    @contextlib.contextmanager
    def progress(self, what: str, total: int) -> collections.abc.Iterator[
            collections.abc.Callable[[int], None]]:
        def stop(count: int) -> None:
            if count:
                interrupt.stop(15)
        yield stop


ROOT = pathlib.Path(__file__).parents[2]


class CloudCase(base.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.tmp()
        self.cloud = cloud_module.Cloud()
        self.addCleanup(self.cloud.close)
        self.configure(self.cloud.entry())
        for patch in (
                mock.patch.object(upload, 'PAUSE', 0),
                mock.patch.object(upload, 'ACTIVE_WITHIN', 0.2),
                *(mock.patch.object(interrupt, name, value) for name, value in
                  (('_too_late', True), ('_missed', None), ('_left', '')))):
            patch.start()
            self.addCleanup(patch.stop)
        self.said = io.StringIO()
        self.report = report.Report(stream=self.said)
        self.path = self.folder / 'x.img'
        self.path.write_bytes(test_glance.head(512).ljust(3 << 20, b'\x07'))

    def configure(self, entry: object) -> None:
        """A clouds.yaml with one cloud."""
        path = self.folder / 'clouds.json'
        path.write_text(json.dumps({'clouds': {'stub': entry}}))
        patch = mock.patch.dict(os.environ, OS_CLIENT_CONFIG_FILE=str(path))
        patch.start()
        self.addCleanup(patch.stop)

    def upload(self, **given: typing.Any) -> None:
        made = test_glance.changed(test_recipe.make(**given),
                                   output=str(self.path))
        data = self.path.read_bytes()
        said = manifest.make(made, len(data),
                             cloud_module.digest(data, 'sha256'),
                             cloud_module.digest(data, 'sha512'))
        with upload.connected('stub') as images:
            self.cloud.log.clear()
            images.upload(made, said, self.report)

    def refused(self, *parts: str, **given: typing.Any) -> str:
        """The one error, without anything that is secret."""
        with self.assertRaises(errors.EnvironmentFailed) as caught:
            self.upload(**given)
        text = ''.join(traceback.format_exception(caught.exception))
        for secret in (cloud_module.PASSWORD, *self.cloud.tokens):
            self.assertNotIn(secret, text)
            self.assertNotIn(secret, str(caught.exception.hint))
        for part in parts:
            self.assertIn(part, str(caught.exception))
        self.error = caught.exception
        return str(caught.exception)


class TestUpload(CloudCase):

    def test_what_glance_gets(self) -> None:
        self.upload()
        image = self.cloud.image
        wanted = {'name': 'ESXi-8.0.3-24022510', 'disk_format': 'raw',
                  'container_format': 'bare', 'min_disk': 32,
                  'status': 'active', 'size': 3 << 20,
                  'architecture': 'x86_64', 'hypervisor_type': 'baremetal',
                  'hw_firmware_type': 'uefi', 'os_distro': 'esxi',
                  'img_config_drive': 'mandatory', 'os_version': '8.0.3',
                  'esxi_build': '24022510', 'esxi_img_sector_size': '512'}
        self.assertEqual(wanted, {key: image[key] for key in wanted})
        self.assertEqual(self.path.read_bytes(),
                         self.cloud.data[image['id']])
        self.assertEqual([], self.cloud.deleted)

    def test_what_is_said(self) -> None:
        self.upload()
        identifier = self.cloud.image['id']
        self.assertEqual(
            'uploading x.img to stub\n'
            f'uploaded ESXi-8.0.3-24022510 to stub: image {identifier}\n'
            'hint: Ironic has to be able to read it: openstack image set '
            f'--public {identifier}, or image add project {identifier} '
            'PROJECT\n', self.said.getvalue())

    def test_each_image_is_a_new_one(self) -> None:
        self.upload()
        self.upload()
        self.assertEqual(2, len(self.cloud.images))

    def test_its_name(self) -> None:
        self.upload(image_name='gold')
        self.assertEqual('gold', self.cloud.image['name'])

    def test_it_is_not_active_at_once(self) -> None:
        self.cloud.faults['show late'] = 3
        self.upload()
        self.assertEqual('active', self.cloud.image['status'])

    def test_a_body_that_is_sent_again_is_whole(self) -> None:
        """The token has expired, or the service is busy for a while."""
        for fault in ('upload 401', 'upload 503', 'create 401', 'show 401'):
            with self.subTest(fault):
                self.cloud.faults[fault] = 1
                self.upload()
                self.assertEqual(0, self.cloud.faults[fault])
        self.assertEqual({self.path.read_bytes()},
                         set(self.cloud.data.values()))


class TestBefore(CloudCase):
    """What is seen before the build."""

    def test_nothing_is_made(self) -> None:
        with upload.connected('stub'):
            self.assertEqual({}, self.cloud.images)
        self.assertIn('GET /image/v2/images?limit=1', self.cloud.log)

    def refused_at_once(self, part: str, name: str = 'stub') -> str:
        with self.assertRaises(errors.EnvironmentFailed) as caught:
            with upload.connected(name):
                self.fail('let in')
        text = ''.join(traceback.format_exception(caught.exception))
        for secret in (cloud_module.PASSWORD, 'other-s3cret',
                       *self.cloud.tokens):
            self.assertNotIn(secret, text)
        self.assertIn(part, str(caught.exception))
        self.assertEqual({}, self.cloud.images)
        return text

    def test_unknown_cloud(self) -> None:
        self.refused_at_once('cloud nope: Cloud nope was not found', 'nope')

    def test_no_clouds_at_all(self) -> None:
        with mock.patch.dict(os.environ,
                             OS_CLIENT_CONFIG_FILE='/nonexistent/x.yaml'):
            self.refused_at_once('cloud stub: ')

    def test_wrong_password(self) -> None:
        entry = self.cloud.entry()
        entry['auth']['password'] = 'other-s3cret'
        self.configure(entry)
        self.refused_at_once('the password *** is wrong (HTTP 401)')

    def test_no_glance_there(self) -> None:
        self.cloud.faults['no glance'] = 1
        self.refused_at_once('service catalog')

    def test_glance_lets_nobody_in(self) -> None:
        self.cloud.faults['list 403'] = 1
        self.refused_at_once('403')

    def test_an_answer_that_does_not_come(self) -> None:
        self.cloud.faults['list hang'] = 9
        with mock.patch.object(upload, 'ANSWER_WITHIN', 0.1):
            self.refused_at_once('timed out')

    def test_nobody_answers(self) -> None:
        entry = self.cloud.entry()
        entry['auth']['auth_url'] = 'http://me:other-s3cret@127.0.0.1:1/v3'
        self.configure(entry)
        self.refused_at_once('http://***@127.0.0.1:1/v3')

    def test_a_clouds_yaml_that_makes_no_sense(self) -> None:
        for entry in ('other-s3cret', {'auth': 'other-s3cret'},
                      {'auth': {'auth_url': 5, 'username': 'a',
                                'password': 'b', 'project_name': 'c'}},
                      {**self.cloud.entry(), 'api_timeout': 'other-s3cret'},
                      ['other-s3cret']):
            with self.subTest(entry):
                self.configure(entry)
                self.refused_at_once('openstacksdk can do nothing with')
        for text in ('clouds: {stub: {auth: {password: !other-s3cret }}}',
                     'clouds: {stub: {auth: {password: @other-s3cret',
                     'other-s3cret', ''):
            path = self.folder / 'clouds.yaml'
            path.write_text(text)
            with mock.patch.dict(os.environ,
                                 OS_CLIENT_CONFIG_FILE=str(path)):
                self.refused_at_once('cloud stub: ')

    def test_the_library_is_not_there(self) -> None:
        with mock.patch.dict(sys.modules, openstack=None):
            with self.assertRaises(errors.EnvironmentFailed) as caught:
                with upload.connected('stub'):
                    self.fail('let in')
        self.assertEqual(("openstacksdk is not installed",
                          "pip install 'esxi-img[upload]'"),
                         (str(caught.exception), caught.exception.hint))


class TestExtra(base.TestCase):

    def test_the_library_that_is_tested_is_the_one_that_is_asked_for(
            self) -> None:
        setup = configparser.ConfigParser()
        setup.read(ROOT / 'setup.cfg')
        [wanted] = setup['extras']['upload'].split()
        self.assertRegex((ROOT / 'test-requirements.txt').read_text(),
                         f'(?m)^{wanted} ')


class TestFailures(CloudCase):
    """Nothing is left in Glance, the file stays, and one line says why."""

    def check(self, *parts: str, deleted: int = 1) -> None:
        self.refused(*parts)
        self.assertEqual({}, self.cloud.images)
        self.assertEqual(deleted, len(self.cloud.deleted))
        self.cloud.deleted.clear()
        self.assertIn(f'{self.path} is written; by hand: OS_CLOUD=stub '
                      'openstack image create --disk-format raw',
                      str(self.error.hint))
        self.assertTrue(self.path.exists())
        self.assertNotIn('uploaded', self.said.getvalue())

    def test_it_is_not_made(self) -> None:
        for code in (403, 409, 413, 500):
            with self.subTest(code):
                self.cloud.faults[f'create {code}'] = 1
                self.check(f'{code}', 'no create', deleted=0)

    def test_it_is_made_but_nobody_says_so(self) -> None:
        self.cloud.faults['create cut'] = 1
        self.check('cloud stub: ')

    def test_it_is_not_filled(self) -> None:
        for code in (403, 409, 413, 500):
            with self.subTest(code):
                self.cloud.faults[f'upload {code}'] = 1
                self.check(f'{code}', 'no upload')
        self.cloud.faults['upload early 413'] = 1
        self.check('cloud stub: ')

    def test_the_token_of_the_second_attempt_is_a_secret_too(self) -> None:
        self.cloud.faults.update({'upload 401': 1, 'upload 413': 1})
        self.check('413', '***')
        self.assertEqual(2, len(self.cloud.tokens))

    def test_the_connection_is_cut(self) -> None:
        # More often than some releases of openstacksdk try again.
        self.cloud.faults['upload cut'] = 9
        self.check('Unable to establish connection')

    def test_other_bytes_arrive(self) -> None:
        self.cloud.faults['upload changed'] = 1
        self.check('cloud stub: the sha512 of the image there is ')

    def test_never_active(self) -> None:
        self.cloud.faults['never active'] = 1
        self.check('the image is saving, not active')
        self.cloud.faults['killed'] = 1
        with mock.patch.object(upload, 'ACTIVE_WITHIN', 600):
            self.check('the image is killed, not active')

    def test_an_answer_that_is_none(self) -> None:
        for fault in ('show nonsense', 'show number', 'show nothing'):
            with self.subTest(fault):
                self.cloud.faults[fault] = 1
                self.check('cloud stub: ')

    def test_it_cannot_be_deleted_either(self) -> None:
        self.cloud.faults.update({'upload 500': 1, 'delete 403': 1})
        said = self.refused('no upload')
        [identifier] = self.cloud.images
        self.assertIn(f'; image {identifier} may be left in cloud stub', said)

    def test_another_format_than_is_declared(self) -> None:
        self.path.write_bytes(b'QFI\xfb' + bytes(10000))
        self.check('x.img: is no raw image', deleted=0)
        self.assertEqual([], self.cloud.log)

    def test_another_file_than_was_written(self) -> None:
        """Another build may have replaced it by one of another size."""
        made = test_glance.changed(test_recipe.make(),
                                   output=str(self.path))
        for size in (1, (3 << 20) + 1):
            with upload.connected('stub') as images:
                self.cloud.log.clear()
                with self.assertRaisesRegex(
                        errors.EnvironmentFailed,
                        f'x.img: has 3145728 bytes, not the {size} '
                        'that were written'):
                    images.upload(made, manifest.make(made, size, '', ''),
                                  self.report)
            self.assertEqual([], self.cloud.log)

    def test_the_file_is_gone(self) -> None:
        made = test_glance.changed(test_recipe.make(),
                                   output=str(self.folder / 'gone'))
        with upload.connected('stub') as images:
            with self.assertRaisesRegex(errors.EnvironmentFailed, 'gone: '):
                images.upload(made, manifest.make(made, 1, '', ''),
                              self.report)
        self.assertEqual({}, self.cloud.images)


class TestSums(CloudCase):
    """Whatever hash Glance keeps, it is compared."""

    def test_good(self) -> None:
        for algorithm in ('sha512', 'sha256', 'sha384', 'md5', 'blake2b',
                          None, 'whirlpool9'):
            with self.subTest(algorithm):
                self.cloud.algorithm = algorithm
                self.upload()

    def test_bad(self) -> None:
        for algorithm, named in (
                ('sha512', 'sha512'), ('sha256', 'sha256'),
                ('sha384', 'sha384'), (None, 'md5'), ('whirlpool9', 'md5')):
            with self.subTest(algorithm):
                self.cloud.algorithm = algorithm
                self.cloud.faults['upload changed'] = 1
                self.refused(f'the {named} of the image there is ')
                self.assertEqual({}, self.cloud.images)

    def test_none(self) -> None:
        self.cloud.checksum = False
        for algorithm in (None, 'whirlpool9'):
            self.cloud.algorithm = algorithm
            self.refused('cloud stub: tells no hash of the image')
            self.assertEqual({}, self.cloud.images)


class TestStopped(CloudCase):

    def test_while_it_sends(self) -> None:
        for fault, left in (('', ''), ('delete 403', ', image ')):
            self.report = Stopping(quiet=True)
            self.cloud.faults[fault] = 1
            with self.assertRaises(interrupt.Interrupted) as caught:
                self.upload()
            self.assertTrue(caught.exception.left.startswith(
                f'{self.path} is written, but not uploaded{left}'))
            self.assertEqual(bool(left), bool(self.cloud.images))

    def test_a_signal_that_came_while_the_image_took_its_name(self) -> None:
        with mock.patch.object(interrupt, '_missed', 15):
            with self.assertRaises(interrupt.Interrupted):
                self.upload()
        self.assertEqual([], self.cloud.log)

    def test_a_bug_leaves_nothing_either(self) -> None:
        with mock.patch.object(upload.Glance, '_verify', autospec=True,
                               side_effect=KeyError('x')):
            with self.assertRaises(KeyError):
                self.upload()
        self.assertEqual({}, self.cloud.images)

    def test_too_late_when_all_is_done(self) -> None:
        self.upload()
        interrupt.stop(15)


class TestBody(base.TestCase):

    def test_from_the_start_each_time(self) -> None:
        data = bytes(range(256)) * 8192
        counts: list[int] = []
        body = upload._Body(io.BytesIO(data), len(data), counts.append)
        self.assertEqual(len(data), len(body))
        next(iter(body))
        for _ in range(2):
            self.assertEqual(data, b''.join(body))
            self.assertEqual(len(data), sum(counts))


class TestWarnings(base.TestCase):

    def test_what_the_libraries_warn_of_is_not_for_users(self) -> None:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter('always')
            with upload._translated('stub'):
                warnings.warn('too old')
        self.assertEqual([], seen)


class TestSecrets(base.TestCase):

    def test_what_is_one(self) -> None:
        self.assertEqual(
            ['p', 's', 't', 'c', '5', ''], upload._secrets({
                'auth_url': 'u', 'username': 'n', 'project_name': 'q',
                'user_domain_id': 'd', 'application_credential_id': 'i',
                'password': 'p', 'application_credential_secret': 's',
                'token': 't', 'passcode': 'c', 'x': 5, 'empty': ''}))
        for odd in (None, 'text', ['list']):
            self.assertEqual([], upload._secrets(odd))

    def test_a_message_without_them(self) -> None:
        self.assertEqual(
            'a *** b http://***@h/p http://h/p c@d',
            upload._plain('a pw\n b  http://u:x@h/p http://h/p c@d',
                          ['pw', '']))
        self.assertEqual(upload.MAX_SAID, len(upload._plain('x' * 9999, [])))
