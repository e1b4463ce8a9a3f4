"""The errors a user of matdesign meets."""


class MatdesignError(Exception):
    """Anything that went wrong in a way a user can understand; the message names the remedy."""


class InputError(MatdesignError):
    """A value from outside (configuration, file, environment variable) that cannot be used.

    The message names the offending value and the remedy in one sentence or two. The command line prints it and
    exits with status 2.
    """


class SimulationError(MatdesignError):
    """LAMMPS refused a command or failed in a run; the message holds its own text and the offending command."""
