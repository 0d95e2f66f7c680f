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

"""settings.json: what the build decided, as the image carries it."""

import dataclasses
from typing import Any

from . import model


def from_json(value: Any) -> model.Settings:
    """The settings; what is odd or missing is as by default."""
    if not isinstance(value, dict):
        return model.Settings()
    return model.Settings(**{
        field.name: value[field.name]
        for field in dataclasses.fields(model.Settings)
        if isinstance(value.get(field.name), bool)})
