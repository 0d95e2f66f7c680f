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

"""Glance: takes uploads, and may refuse them."""

import datetime
import tempfile
import typing
import uuid

from glance.api.v2 import images
from glance.common import config
from glance.common import exception
from glance import domain
from glance import location
import glance_store

from tests.functional import clients


def upload(path: str, disk_format: str, properties: dict[str, str]
           ) -> dict[str, typing.Any]:
    """As the API does: the body of the request, then the data.

    :returns: what is kept of it
    """
    images.get_schema().validate({
        'disk_format': disk_format, 'container_format': 'bare', **properties})
    now = datetime.datetime.now(datetime.timezone.utc)
    image = domain.Image(
        str(uuid.uuid4()), 'queued', now, now, container_format='bare',
        disk_format=disk_format, extra_properties=properties)
    options = config.CONF
    options([], project='glance', default_config_files=[],
            default_config_dirs=[])
    glance_store.register_opts(options)
    with tempfile.TemporaryDirectory() as folder, open(path, 'rb') as data:
        options.set_override('filesystem_store_datadir', folder,
                             'glance_store')
        glance_store.create_stores(options)
        try:
            location.ImageProxy(image, None, glance_store, None).set_data(data)
        except exception.InvalidImageData as error:
            raise clients.Refused(str(error)) from error
    return {'status': image.status, 'size': image.size,
            'virtual_size': image.virtual_size,
            'os_hash_algo': image.os_hash_algo,
            'os_hash_value': image.os_hash_value}


if __name__ == '__main__':
    clients.serve(upload)
