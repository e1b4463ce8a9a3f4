from matdesign.design.spaces.space import Space


class Arrangements(Space):
    pass
