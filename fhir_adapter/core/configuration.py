"""What every part of the configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A part of the configuration: frozen, closed, and silent about its values in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
