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

"""Images into Glance, by openstacksdk, of which only this module knows."""

import collections.abc
import contextlib
import hashlib
import io
import logging
import re
import shlex
import time
import typing
import uuid
import warnings

from esxi_img import digests
from esxi_img import errors
from esxi_img import glance
from esxi_img import infile
from esxi_img import interrupt
from esxi_img import manifest as manifest_module
from esxi_img import recipe as recipe_module
from esxi_img import report as report_module

CHUNK = 1024 * 1024
"""Bytes handed over at a time."""

ANSWER_WITHIN = 60
"""Seconds for an answer, unless clouds.yaml has an api_timeout."""

ACTIVE_WITHIN = 300
"""Seconds for an image to become active once Glance has all its bytes."""

PAUSE = 1
"""Seconds between two looks at it."""

MAX_SAID = 500
"""Characters of what a cloud says that the user gets to see."""

_NEVER_ACTIVE = ('killed', 'deleted', 'pending_delete', 'deactivated')

_SHOWN = ('_id', '_name', '_url', 'username')
"""How the names of the options of clouds.yaml's ``auth`` end that are no
secrets."""


@contextlib.contextmanager
def connected(cloud: str) -> collections.abc.Iterator['Glance']:
    """The Glance of a cloud that has let us in.

    :param cloud: its name in clouds.yaml
    :raises EnvironmentFailed: openstacksdk is not there, nor the cloud, or
        it does not let us in
    """
    try:
        import openstack
    except ImportError:
        raise errors.EnvironmentFailed(
            'openstacksdk is not installed',
            hint="pip install 'esxi-img[upload]'") from None
    # What these have to say is in their exceptions, too.
    for library in ('keystoneauth', 'openstack', 'stevedore', 'urllib3'):
        logging.getLogger(library).addHandler(logging.NullHandler())
    with _sensible(cloud), _translated(cloud):
        connection = openstack.connect(cloud=cloud, app_name='esxi-img')
    with contextlib.closing(connection):
        with _sensible(cloud):
            images = Glance(cloud, connection)
        yield images


class Glance:
    """What a build wants of a cloud.

    :raises EnvironmentFailed: it does not let us in
    """

    def __init__(self, cloud: str, connection: typing.Any) -> None:
        self._cloud = cloud
        self._connection = connection
        self._secrets = _secrets(connection.config.config.get('auth'))
        with self._soon(), self._translated():
            connection.authorize()
        # Is there a Glance, and does it let us in, too?
        self._ask('get', '/images', params={'limit': 1})

    def upload(self, recipe: recipe_module.Recipe,
               manifest: manifest_module.Manifest,
               report: report_module.Report) -> None:
        """Put a finished image into Glance and verify what it has then.

        :raises EnvironmentFailed: it has none then, or says so
        :raises Interrupted: just the same
        """
        path = str(recipe.given.options.output)
        name = glance.name(recipe)
        interrupt.proceed(f'{path} is written, but not uploaded')
        try:
            with infile.opened(path) as file:
                _check(file, path, manifest)
                identifier = self._put(name, manifest, file, report)
        except errors.EsxiImgError as error:
            command = shlex.join(glance.command(recipe))
            raise errors.EnvironmentFailed(
                *error.problems,
                hint=f'{path} is written; by hand: OS_CLOUD='
                     f'{shlex.quote(self._cloud)} {command}') from None
        report.say(f'uploaded {name} to {self._cloud}: image {identifier}')
        report.say('hint: Ironic has to be able to read it: openstack image '
                   f'set --public {identifier}, or image add project '
                   f'{identifier} PROJECT')

    def _put(self, name: str, manifest: manifest_module.Manifest,
             file: typing.BinaryIO, report: report_module.Report) -> str:
        """The id of the new image, which is whole."""
        # Ours from the start, so that it is known whenever it has to go.
        identifier = str(uuid.uuid4())
        try:
            self._ask('post', '/images', json={
                'id': identifier, 'name': name,
                'disk_format': manifest.disk_format,
                'container_format': glance.CONTAINER_FORMAT,
                'min_disk': manifest.min_disk_gib, **manifest.properties})
            what = f'uploading {manifest.image} to {self._cloud}'
            with report.progress(what, manifest.size) as progress:
                self._ask('put', f'/images/{identifier}/file',
                          data=_Body(file, manifest.size, progress),
                          headers={'Content-Type':
                                   'application/octet-stream'})
            self._verify(self._active(identifier), file, manifest, report)
            interrupt.commit()
        except BaseException as error:
            left = self._remove(identifier)
            if isinstance(error, errors.EsxiImgError):
                raise errors.EnvironmentFailed(
                    *error.problems, *left) from None
            if isinstance(error, interrupt.Interrupted):
                error.left = ', '.join([error.left, *left])
            raise
        return identifier

    def _active(self, identifier: str) -> dict[str, typing.Any]:
        """The image, once Glance has it."""
        deadline = time.monotonic() + ACTIVE_WITHIN
        while True:
            answer = self._ask('get', f'/images/{identifier}')
            with self._translated():
                image = answer.json()
            if not isinstance(image, dict) or 'status' not in image:
                raise errors.EnvironmentFailed(
                    f'cloud {self._cloud}: does not tell the status of the '
                    'image')
            status = image['status']
            if status == 'active':
                return image
            if time.monotonic() > deadline or status in _NEVER_ACTIVE:
                raise errors.EnvironmentFailed(
                    f'cloud {self._cloud}: the image is {status}, not active')
            time.sleep(PAUSE)

    def _verify(self, image: dict[str, typing.Any], file: typing.BinaryIO,
                manifest: manifest_module.Manifest,
                report: report_module.Report) -> None:
        """Is what Glance has what was written?"""
        stored = glance.stored_sum(image, hashlib.algorithms_available)
        if stored is None:
            raise errors.EnvironmentFailed(
                f'cloud {self._cloud}: tells no hash of the image')
        algorithm, value = stored
        known = {'sha256': manifest.sha256, 'sha512': manifest.sha512}
        if algorithm not in known:
            with self._translated():
                known |= digests.of(file, [algorithm],
                                    f'reading {manifest.image}', report)
        if value != known[algorithm]:
            raise errors.EnvironmentFailed(
                f'cloud {self._cloud}: the {algorithm} of the image there is '
                f'{value}, not {known[algorithm]}')

    def _remove(self, identifier: str) -> list[str]:
        """Take back what was begun; what may be left, in glance."""
        try:
            with self._soon(), self._translated():
                code = self._connection.image.delete(
                    f'/images/{identifier}').status_code
        except errors.EnvironmentFailed:
            code = None
        return [] if code in (204, 404) else [
            f'image {identifier} may be left in cloud {self._cloud}']

    def _ask(self, method: str, path: str, **given: typing.Any) -> typing.Any:
        """An answer of Glance that is no complaint."""
        from openstack import exceptions
        # Glance may take its time to store what it was given.
        patience = (contextlib.nullcontext() if method == 'put'
                    else self._soon())
        with patience, self._translated():
            response = getattr(self._connection.image, method)(path, **given)
            # Of this request: a token is replaced when it has expired.
            self._secrets.append(
                response.request.headers.get('X-Auth-Token', ''))
            exceptions.raise_from_response(response)
        return response

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return _translated(self._cloud, self._secrets)

    @contextlib.contextmanager
    def _soon(self) -> collections.abc.Iterator[None]:
        """Wait for an answer, but not for ever."""
        session = self._connection.session
        before = session.timeout
        session.timeout = before or ANSWER_WITHIN
        try:
            yield
        finally:
            session.timeout = before


def _check(file: typing.BinaryIO, path: str,
           manifest: manifest_module.Manifest) -> None:
    """Is it what was written?  Another build may have replaced it.

    A body that is shorter than it was said to be is waited for.

    :raises EnvironmentFailed: it has another size or another format
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size != manifest.size:
        raise errors.EnvironmentFailed(
            f'{path}: has {size} bytes, not the {manifest.size} that were '
            'written')
    if not glance.is_format(file.read(glance.HEAD), manifest.disk_format,
                            manifest.sector_size):
        raise errors.EnvironmentFailed(
            f'{path}: is no {manifest.disk_format} image')


class _Body:
    """A file as the body of a request, from its first byte each time.

    A request is sent again if the token has expired, or by a retry that
    clouds.yaml asks for.
    """

    def __init__(self, file: typing.BinaryIO, size: int,
                 progress: collections.abc.Callable[[int], None]) -> None:
        self._file = file
        self._size = size
        self._progress = progress
        self._sent = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> collections.abc.Iterator[bytes]:
        self._progress(-self._sent)
        self._sent = 0
        self._file.seek(0)
        for chunk in iter(lambda: self._file.read(CHUNK), b''):
            yield chunk
            self._sent += len(chunk)
            self._progress(len(chunk))


def _secrets(auth: typing.Any) -> list[str]:
    """What of a cloud's ``auth`` is not to be seen."""
    pairs = auth.items() if isinstance(auth, dict) else ()
    return [str(value) for name, value in pairs
            if not str(name).endswith(_SHOWN)]


@contextlib.contextmanager
def _translated(cloud: str, secrets: collections.abc.Iterable[str] = ()
                ) -> collections.abc.Iterator[None]:
    """Failures of the libraries become one line of ours, without secrets.

    Theirs are not kept as its cause: a traceback would print them.
    """
    from keystoneauth1 import exceptions as auth_exceptions
    from openstack import exceptions
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    except (exceptions.SDKException, auth_exceptions.ClientException,
            OSError) as error:
        raise errors.EnvironmentFailed(
            f'cloud {cloud}: {_plain(str(error), secrets)}') from None


@contextlib.contextmanager
def _sensible(cloud: str) -> collections.abc.Iterator[None]:
    """Whatever openstacksdk makes of a clouds.yaml that has odd values.

    It does not check them, so this may be any exception; its text may be a
    value.
    """
    try:
        yield
    except errors.EsxiImgError:
        raise
    except Exception as error:
        raise errors.EnvironmentFailed(
            f'cloud {cloud}: openstacksdk can do nothing with its entry in '
            f'clouds.yaml ({type(error).__name__})',
            hint=f'openstack --os-cloud {shlex.quote(cloud)} token issue '
                 'shows more') from None


def _plain(said: str, secrets: collections.abc.Iterable[str]) -> str:
    """A message in one line, without secrets."""
    for secret in filter(None, secrets):
        said = said.replace(secret, '***')
    return ' '.join(re.sub('//[^/@\\s]+@', '//***@', said).split())[:MAX_SAID]
