"""Materials inverse design: atoms steered by one shared policy through LAMMPS."""
