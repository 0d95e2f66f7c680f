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

"""The shell examples of the documentation, and what makes each a test.

``pages`` finds them and the mark that each has to have; ``shell`` takes one
apart into commands; ``host`` judges commands for an ESXi host, ``clients``
those of a cloud or a service; ``session`` runs the others, with the files of
``files``.
"""
