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

"""What cloud-init makes of user data and vendor data, as JSON.

Run by the Python that has cloud-init: ``python3 cloud_init.py FOLDER``, the
folder with user_data, vendor_data.json and vendor_data2.json, where any.
"""

import json
import os
import sys
import tempfile

from cloudinit import handlers
from cloudinit.handlers import cloud_config
from cloudinit import sources
from cloudinit import user_data
from cloudinit import util

SCRIPTS = ('text/x-shellscript', 'text/x-shellscript-per-boot',
           'text/x-shellscript-per-instance', 'text/x-shellscript-per-once')


class Paths:
    """Where cloud-init has its files."""

    def __init__(self, folder):
        self._folder = folder

    def get_ipath(self, name):
        return os.path.join(self._folder, name)

    get_ipath_cur = get_ipath


def consumed(raw, folder):
    """The cloud-config and the scripts of one source."""
    paths = Paths(folder)
    handler = cloud_config.CloudConfigPartHandler(paths)
    scripts = []

    def on_part(_data, filename, payload, headers):
        kind = headers['Content-Type']
        if kind == 'text/cloud-config':
            handler.handle_part(None, kind, filename, payload, None, headers)
        elif kind in SCRIPTS:
            scripts.append(util.dos2unix(payload))

    handler.handle_part(None, handlers.CONTENT_START, None, None, None, {})
    message = user_data.UserDataProcessor(paths).process(raw)
    handlers.walk(message, on_part, None)
    handler.handle_part(None, handlers.CONTENT_END, None, None, None, {})
    return util.read_conf(handler.cloud_fn), scripts


def content(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return b''
    with open(path, 'rb') as file:
        return file.read()


def vendor(folder, name):
    data = content(folder, name)
    return sources.convert_vendordata(json.loads(data) if data else None)


def main():
    said = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        util.fetch_ssl_details = lambda _paths: {}
        user, user_scripts = consumed(content(said, 'user_data'), folder)
        kept, scripts = [], []
        for name in ('vendor_data', 'vendor_data2'):
            config = user.get(name, {'enabled': True})
            if not util.is_true(config.get('enabled', True)):
                continue
            one, some = consumed(vendor(said, f'{name}.json'), folder)
            kept.insert(0, one)
            scripts += some
        for name in ('vendor_data', 'vendor_data2'):
            user.pop(name, None)
        json.dump({'user': user, 'user_scripts': user_scripts,
                   'vendor': util.mergemanydict(kept),
                   'merged': util.mergemanydict([user, *kept]),
                   'vendor_scripts': scripts},
                  sys.stdout, default=str, indent=1, sort_keys=True)
        print()


if __name__ == '__main__':
    main()
