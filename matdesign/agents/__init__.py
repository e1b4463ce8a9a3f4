"""Learning to steer: policies and the algorithm that trains them, ignorant of what the agents are."""
