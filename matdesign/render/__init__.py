"""Pictures of scenes; knows nothing of simulations and agents."""
