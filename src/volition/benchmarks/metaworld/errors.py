"""What a user may get wrong with Meta-World: raised at the border, printed by the command line."""

from volition.errors import VolitionError


class MetaWorldError(VolitionError):
    """A task, a folder or an option of the benchmark is not as it must be."""
