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

"""A machine in a folder: the installer runs a real image on it, and it boots.

The scripts under test run for real, with real absolute paths, in a mount
namespace of their own; around them is only as much of ESXi as is known, and
where ESXi is lenient or nobody knows, this machine refuses.

``machine.Machine`` is the hardware, ``deploy.write`` puts an image on a disk
of it, ``installer.Installer`` and ``host.Host`` run what is on the disk,
``search.search`` tells where a secret is left.
"""
